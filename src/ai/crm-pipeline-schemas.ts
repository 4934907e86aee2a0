import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { HostPipeline, PipelineSchemas } from '#libs/host';
import { PipelineCatalog } from '../crm/pipelines/pipeline-catalog.js';

const NAMES = `
  SELECT t.name AS tenant, coalesce(u.email, '') AS "user"
    FROM tenants t LEFT JOIN users u ON u.tenant_id = t.tenant_id AND u.id = $2 WHERE t.tenant_id = $1`;

/** The port through which the plugin sees pipelines, and the names that prompts may use. */
@Injectable()
export class CrmPipelineSchemas implements PipelineSchemas {
  constructor(private readonly catalog: PipelineCatalog) {}

  ids(em: EntityManager, tenantId: string): Promise<string[]> {
    return this.catalog.ids(em, tenantId);
  }

  read(em: EntityManager, tenantId: string, pipelineId: string): Promise<HostPipeline | undefined> {
    return this.catalog.find(em, tenantId, pipelineId);
  }

  async names(
    em: EntityManager,
    tenantId: string,
    principalId: string,
  ): Promise<{ tenant: string; user: string }> {
    const [names] = await em.query<{ tenant: string; user: string }[]>(NAMES, [tenantId, principalId]);
    return names ?? { tenant: '', user: '' };
  }
}
