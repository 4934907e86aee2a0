import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { CrmModule } from '../crm/crm.module.js';
import { DemoSeed } from './demo-seed.js';

/** The demo tenant. */
@Module({ imports: [AuthModule, CrmModule], providers: [DemoSeed] })
export class DemoModule {}
