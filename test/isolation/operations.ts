interface OpenApi {
  paths: Record<string, Record<string, unknown>>;
}

/** Operations of the API itself, such as `GET /records/{}`, as its OpenAPI document lists them; sorted. */
export async function operationsOf(url: string): Promise<string[]> {
  const { paths } = (await (await fetch(`${url}/api/openapi.json`)).json()) as OpenApi;
  return Object.entries(paths)
    .filter(([path]) => path.startsWith('/api/v1/'))
    .flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${plain(path)}`),
    )
    .sort();
}

function plain(path: string): string {
  return path.replace(/^\/api\/v1/, '').replace(/\{[^}]+\}/g, '{}');
}
