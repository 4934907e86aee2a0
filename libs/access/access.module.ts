import { Global, Module } from '@nestjs/common';
import { AuditEntries } from './audit/audit-entries.js';
import { AuditLogController } from './audit/audit-log.controller.js';
import { AuditLog } from './audit/audit-log.js';

/** The audit log, for whoever changes something; expects the `TenantsModule`. */
@Global()
@Module({ controllers: [AuditLogController], providers: [AuditEntries, AuditLog], exports: [AuditLog] })
export class AccessModule {}
