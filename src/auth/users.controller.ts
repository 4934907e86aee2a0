import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post } from '@nestjs/common';
import { Authorize, CurrentPrincipal } from '#libs/access';
import type { Principal } from '#libs/host';
import { PageOf, toPage, type Page, type PageQuery } from '../config/page-query.js';
import { NewUserDto, UserChangesDto } from './dto/credentials.dto.js';
import { Users, type UserView } from './users.js';

@Controller('users')
@Authorize('manage', 'User')
export class UsersController {
  constructor(private readonly users: Users) {}

  @Get()
  async list(
    @CurrentPrincipal() { tenantId }: Principal,
    @PageOf() page: PageQuery,
  ): Promise<Page<UserView>> {
    return toPage(await this.users.list(tenantId, page.after ?? '', page.limit + 1), page.limit);
  }

  @Post()
  add(@CurrentPrincipal() principal: Principal, @Body() body: NewUserDto): Promise<UserView> {
    return this.users.add(principal, body.email, body.password, body.role);
  }

  @Patch(':id')
  change(
    @CurrentPrincipal() principal: Principal,
    @Param('id') id: string,
    @Body() body: UserChangesDto,
  ): Promise<UserView> {
    return this.users.change(principal, id, body);
  }

  @Delete(':id')
  @HttpCode(204)
  remove(@CurrentPrincipal() principal: Principal, @Param('id') id: string): Promise<void> {
    return this.users.remove(principal, id);
  }
}
