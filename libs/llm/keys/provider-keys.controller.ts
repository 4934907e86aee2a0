import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put } from '@nestjs/common';
import { Authorize, CurrentPrincipal } from '#libs/access';
import { NotFoundError } from '#libs/common';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import { LlmError } from '../llm-error.js';
import { ProviderRegistry } from '../provider-registry.js';
import { breakerStates, type BreakerState } from './breaker-states.js';
import { KeyBreakers } from './key-breakers.js';
import type { KeySource } from './key-owner.js';
import { PutProviderKeyDto } from './provider-key.dto.js';
import { OwnKeys, type ProviderKeyView } from './own-keys.js';
import { ProviderKeys } from './provider-keys.js';
import { TenantUrls } from './tenant-urls.js';

/** What the test of a key found. */
interface KeyTest {
  ok: boolean;
  source: KeySource;
  error?: { code: string; message: string };
}

/** How a key fares, as a tenant's admin may know it. */
type BreakerView = { state: 'closed' } | ({ state: 'open' } & Pick<BreakerState, 'opened_at' | 'error'>);

interface ListedKey extends ProviderKeyView {
  breaker: BreakerView;
  /** The same of the key that tenants share for this provider; null where there is none. */
  global_breaker: BreakerView | null;
}

@Controller('provider-keys')
export class ProviderKeysController {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly own: OwnKeys,
    private readonly keys: ProviderKeys,
    private readonly registry: ProviderRegistry,
    private readonly breakers: KeyBreakers,
    private readonly urls: TenantUrls,
  ) {}

  @Get()
  @Authorize('read', 'ProviderKey')
  async list(
    @CurrentPrincipal() { tenantId }: Principal,
  ): Promise<{ items: ListedKey[]; next_cursor: null }> {
    return this.tenants.snapshot(tenantId, async (em) => {
      const keys = await this.own.list(em, tenantId);
      const states = await breakerStates(em, tenantId);
      const items = keys.map((key) => ({
        ...key,
        breaker: breakerView(states, key.provider, 'tenant'),
        global_breaker: this.keys.isShared(key.provider) ? breakerView(states, key.provider, 'global') : null,
      }));
      return { items, next_cursor: null };
    });
  }

  @Put(':provider')
  @Authorize('configure', 'ProviderKey')
  async put(
    @CurrentPrincipal() principal: Principal,
    @Param('provider') provider: string,
    @Body() body: PutProviderKeyDto,
  ): Promise<ProviderKeyView> {
    const { name } = this.registry.byName(provider);
    if (body.base_url) await this.urls.check(body.base_url);
    return this.tenants.transaction(principal.tenantId, (em) =>
      this.own.put(em, principal, name, {
        apiKey: body.api_key,
        baseUrl: body.base_url,
        maxConcurrency: body.max_concurrency ?? undefined,
      }),
    );
  }

  @Delete(':provider')
  @HttpCode(204)
  @Authorize('configure', 'ProviderKey')
  async remove(@CurrentPrincipal() principal: Principal, @Param('provider') provider: string): Promise<void> {
    const removed = await this.tenants.transaction(principal.tenantId, (em) =>
      this.own.remove(em, principal, provider),
    );
    if (!removed) throw new NotFoundError('provider key', provider);
  }

  @Post(':provider/test')
  @HttpCode(200)
  @Authorize('configure', 'ProviderKey')
  async test(@CurrentPrincipal() { tenantId }: Principal, @Param('provider') name: string): Promise<KeyTest> {
    const provider = this.registry.byName(name);
    const key = await this.tenants.transaction(tenantId, (em) => this.keys.resolve(em, tenantId, name));
    if (!key) throw new NotFoundError('provider key', name);
    try {
      await provider.testConnection(key.credentials);
      await this.tenants.transaction(tenantId, (em) => this.breakers.mend(em, tenantId, key.ref));
      return { ok: true, source: key.source };
    } catch (error) {
      if (!(error instanceof LlmError)) throw error;
      return { ok: false, source: key.source, error: { code: error.code, message: error.message } };
    }
  }
}

function breakerView(
  states: readonly BreakerState[],
  provider: string,
  source: BreakerState['source'],
): BreakerView {
  const open = states.find((state) => state.provider === provider && state.source === source);
  return open ? { state: 'open', opened_at: open.opened_at, error: open.error } : { state: 'closed' };
}
