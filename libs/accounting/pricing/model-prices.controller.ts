import { Body, Controller, Delete, Get, HttpCode, Put, Query } from '@nestjs/common';
import { Authorize, CurrentPrincipal } from '#libs/access';
import { NotFoundError } from '#libs/common';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import { DeleteModelPriceQuery, PutModelPriceDto } from './model-price.dto.js';
import { PriceBook } from './price-book.js';
import { entryOf, type PriceEntry } from './price-entry.js';
import type { Price } from './price.js';

/** A price as the API shows it; amounts in whole nano-USD. */
interface PriceView extends PriceEntry {
  /** What the ledger names it by. */
  id: string;
  /** Whether the tenant gave it. */
  own: boolean;
}

/** The tenant's own prices beside the shipped ones. */
@Controller('model-prices')
export class ModelPricesController {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly prices: PriceBook,
  ) {}

  @Get()
  @Authorize('read', 'ModelPrice')
  async list(
    @CurrentPrincipal() { tenantId }: Principal,
  ): Promise<{ items: PriceView[]; next_cursor: null }> {
    const own = await this.tenants.transaction(tenantId, (em) => this.prices.ownOf(em, tenantId));
    const shipped = this.prices.allShipped.map((price) => view(price, false));
    return { items: [...own.map((price) => view(price, true)), ...shipped], next_cursor: null };
  }

  @Put()
  @Authorize('configure', 'ModelPrice')
  async put(@CurrentPrincipal() principal: Principal, @Body() body: PutModelPriceDto): Promise<PriceView> {
    const price = await this.tenants.transaction(principal.tenantId, (em) =>
      this.prices.put(em, principal, body, new Date()),
    );
    return view(price, true);
  }

  @Delete()
  @HttpCode(204)
  @Authorize('configure', 'ModelPrice')
  async remove(
    @CurrentPrincipal() principal: Principal,
    @Query() { provider, model, effective_from: from }: DeleteModelPriceQuery,
  ): Promise<void> {
    const removed = await this.tenants.transaction(principal.tenantId, (em) =>
      this.prices.remove(em, principal, provider, model, from),
    );
    if (!removed) throw new NotFoundError('own price', `${provider}/${model}@${from}`);
  }
}

function view(price: Price, own: boolean): PriceView {
  return { id: price.id, own, ...entryOf(price) };
}
