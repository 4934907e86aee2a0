import type { Action, Subject } from '#libs/access';
import type { Api } from '../api.js';
import type { Stage } from '../stage.js';

export const ROLES = ['viewer', 'editor', 'admin', 'owner'] as const;
export type Role = (typeof ROLES)[number];

/** Ids and names that paths and bodies of requests are filled with. */
export type Scene = Record<string, string>;

/** A tenant with a user of each role, and something of everything that an endpoint can be about. */
export interface World {
  stage: Stage;
  owner: Api;
  people: Record<Role, Api>;
  scene: Scene;
}

/** Makes what a request changes or removes for good, anew for each request that may. */
export type Maker = (world: World, caller: Api) => Promise<Scene>;

/** An endpoint of the product, who may use it, and a request that is right, so that only the role can refuse it. */
export interface Endpoint {
  /** The least role; `anybody` needs no sign-in, `operators` are no users of a tenant. */
  least: Role | 'anybody' | 'operators';
  /** What the rules must allow. */
  needs?: readonly [Action, Subject];
  method: string;
  /** As the contract has it, from the root; `{name}` is filled from the scene. */
  path: string;
  /** Where a request goes, if it is not the path filled. */
  at?: string;
  body?: unknown;
  contentType?: string;
  anew?: Maker;
  /** Never ends by itself. */
  isStream?: boolean;
  /** It names something of the tenant, but not so that it would be 404 for another: what that one is answered. */
  foreign?: number;
}

/** The path with parameters without their names, after the method: the same for the table and the contract. */
export function keyOf(method: string, path: string): string {
  return `${method.toUpperCase()} ${path.replace(/\{[^}]+\}/g, '{}')}`;
}

/** Puts what a scene has into `{name}`. @throws where it has no such thing. */
export function filled(text: string, scene: Scene): string {
  return text.replace(/\{([a-z_]+)\}/g, (_, name: string) => {
    const value = scene[name];
    if (value === undefined) throw new Error(`The scene has no "${name}".`);
    return value;
  });
}

/** Where a request goes, without the base of the API. */
export function targetOf({ at, path }: Endpoint, scene: Scene): string {
  return filled(at ?? path, scene);
}

/** The body of a request as it is sent. */
export function bodyOf({ body, contentType }: Endpoint, scene: Scene): string | undefined {
  if (body === undefined) return undefined;
  return filled(contentType ? String(body) : JSON.stringify(body), scene);
}

/** Whether a request names something that belongs to the tenant of the scene. */
export function namesSomething(endpoint: Endpoint, scene: Scene): boolean {
  const request = `${targetOf(endpoint, scene)} ${bodyOf(endpoint, scene) ?? ''}`;
  return Object.values(scene).some((id) => id.length >= 36 && request.includes(id));
}

/** Sends the request of an endpoint. */
export async function send(
  url: string,
  endpoint: Endpoint,
  scene: Scene,
  token?: string,
): Promise<{ status: number; text: string; code: string | undefined }> {
  const abort = new AbortController();
  const body = bodyOf(endpoint, scene);
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  if (body !== undefined) headers['content-type'] = endpoint.contentType ?? 'application/json';
  const response = await fetch(url + targetOf(endpoint, scene), {
    method: endpoint.method,
    headers,
    body,
    redirect: 'manual',
    signal: abort.signal,
  });
  const isOpen = endpoint.isStream && response.status === 200;
  const text = isOpen ? '' : await response.text();
  if (isOpen) abort.abort();
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json');
  const code = isProblem ? (JSON.parse(text) as { code: string }).code : undefined;
  return { status: response.status, text, code };
}
