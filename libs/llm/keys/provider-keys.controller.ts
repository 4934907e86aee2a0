import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put } from '@nestjs/common';
import { Authorize, CurrentPrincipal } from '#libs/access';
import { NotFoundError } from '#libs/common';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import { LlmError } from '../llm-error.js';
import { ProviderRegistry } from '../provider-registry.js';
import { PutProviderKeyDto } from './provider-key.dto.js';
import { ProviderKeys, type KeySource, type ProviderKeyView } from './provider-keys.js';

/** What the test of a key found. */
interface KeyTest {
  ok: boolean;
  source: KeySource;
  error?: { code: string; message: string };
}

@Controller('provider-keys')
export class ProviderKeysController {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly keys: ProviderKeys,
    private readonly registry: ProviderRegistry,
  ) {}

  @Get()
  @Authorize('read', 'ProviderKey')
  async list(
    @CurrentPrincipal() principal: Principal,
  ): Promise<{ items: ProviderKeyView[]; next_cursor: null }> {
    const items = await this.tenants.transaction(principal.tenantId, (em) =>
      this.keys.list(em, principal.tenantId),
    );
    return { items, next_cursor: null };
  }

  @Put(':provider')
  @Authorize('configure', 'ProviderKey')
  async put(
    @CurrentPrincipal() { tenantId }: Principal,
    @Param('provider') provider: string,
    @Body() body: PutProviderKeyDto,
  ): Promise<ProviderKeyView> {
    const { name } = this.registry.byName(provider);
    return this.tenants.transaction(tenantId, (em) =>
      this.keys.put(em, tenantId, name, { apiKey: body.api_key, baseUrl: body.base_url }),
    );
  }

  @Delete(':provider')
  @HttpCode(204)
  @Authorize('configure', 'ProviderKey')
  async remove(
    @CurrentPrincipal() { tenantId }: Principal,
    @Param('provider') provider: string,
  ): Promise<void> {
    const removed = await this.tenants.transaction(tenantId, (em) =>
      this.keys.remove(em, tenantId, provider),
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
      return { ok: true, source: key.source };
    } catch (error) {
      if (!(error instanceof LlmError)) throw error;
      return { ok: false, source: key.source, error: { code: error.code, message: error.message } };
    }
  }
}
