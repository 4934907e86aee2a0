import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { EntityManager } from 'typeorm';
import { isId, NotFoundError } from '#libs/common';
import type { CrmField, Pipeline } from './pipeline.js';

interface VersionRow {
  version: string;
  is_own: boolean;
}

interface PipelineRow extends VersionRow {
  id: string;
  name: string;
  slug: string;
  created_at: Date;
  updated_at: Date;
  fields: CrmField[];
}

/** A relation field. */
export interface Relation {
  pipeline: Pipeline;
  slug: string;
}

/** A row that this transaction changed: nobody else may see it yet, so it is not for the cache. */
const IS_OWN = 'coalesce(p.xmin = pg_current_xact_id_if_assigned()::xid, false) AS is_own';
const FIELDS = `
  (SELECT coalesce(jsonb_agg(jsonb_build_object('slug', f.slug, 'name', f.name, 'fieldType', f.field_type,
            'options', f.options, 'sensitive', f.sensitive, 'required', f.required, 'visibleTo', f.visible_to) ORDER BY f.position), '[]')
     FROM pipeline_fields f WHERE f.tenant_id = p.tenant_id AND f.pipeline_id = p.id) AS fields`;
const COLUMNS = `p.id, p.name, p.slug, p.version, p.created_at, p.updated_at, ${IS_OWN}, ${FIELDS}`;

const LOAD = `SELECT ${COLUMNS} FROM pipelines p WHERE p.tenant_id = $1 AND p.id = $2`;
const LIST = `SELECT ${COLUMNS} FROM pipelines p WHERE p.tenant_id = $1 AND p.id > $2 ORDER BY p.id LIMIT $3`;
const IDS = 'SELECT id FROM pipelines WHERE tenant_id = $1 ORDER BY id';
const VERSION = `SELECT p.version, ${IS_OWN} FROM pipelines p WHERE p.tenant_id = $1 AND p.id = $2`;
const VERSION_FOR_WRITING = `${VERSION} FOR KEY SHARE`;
const INTO = `
  SELECT pipeline_id AS id, slug FROM pipeline_fields
   WHERE tenant_id = $1 AND field_type = 'relation' AND options->>'pipeline_id' = $2 ORDER BY pipeline_id, slug`;
const LOCK = 'SELECT 1 FROM pipelines WHERE tenant_id = $1 AND id = $2 FOR UPDATE';
const BUMP = `
  UPDATE pipelines SET version = nextval('pipeline_versions'), updated_at = now() WHERE tenant_id = $1 AND id = $2`;

/**
 * Pipelines with their fields. What is read again and again is kept in the process under the pipeline's version, which
 * every statement that needs it reads anew: an entry is right or not used, and never has to be told of a change.
 *
 * Who writes a record holds the pipeline's row FOR KEY SHARE, who changes fields holds it FOR UPDATE: no value is
 * written under fields that have just been changed.
 */
@Injectable()
export class PipelineCatalog {
  private readonly cache = new LRUCache<string, Pipeline>({ max: 2_000 });

  /** The pipeline as it is now, or undefined where it is gone. */
  async find(em: EntityManager, tenantId: string, id: string): Promise<Pipeline | undefined> {
    if (!isId(id)) return undefined;
    const [row] = await em.query<VersionRow[]>(VERSION, [tenantId, id]);
    return row && this.at(em, tenantId, id, row.version);
  }

  /** The pipeline, whose fields stay as they are until the transaction ends. @throws NotFoundError */
  async forWriting(em: EntityManager, tenantId: string, id: string): Promise<Pipeline> {
    const [row] = isId(id) ? await em.query<VersionRow[]>(VERSION_FOR_WRITING, [tenantId, id]) : [];
    const pipeline = row && (await this.at(em, tenantId, id, row.version));
    if (!pipeline) throw new NotFoundError('pipeline', id);
    return pipeline;
  }

  /**
   * The pipeline, for whoever changes it: locked against every writer of its records, and with its next version.
   *
   * @throws NotFoundError
   */
  async forChanging(em: EntityManager, tenantId: string, id: string): Promise<Pipeline> {
    if (!isId(id)) throw new NotFoundError('pipeline', id);
    await em.query(LOCK, [tenantId, id]);
    // First of all writes: from here on the row is this transaction's own and nothing read of it is kept.
    await em.query(BUMP, [tenantId, id]);
    const pipeline = await this.load(em, tenantId, id);
    if (!pipeline) throw new NotFoundError('pipeline', id);
    return pipeline;
  }

  /** The pipeline, of a version that was just read. */
  async at(em: EntityManager, tenantId: string, id: string, version: string): Promise<Pipeline | undefined> {
    const known = this.cache.get(key(tenantId, id));
    return known?.version === version ? known : this.load(em, tenantId, id);
  }

  /** At most `limit` pipelines after an id, in the order they were made. */
  async list(em: EntityManager, tenantId: string, after: string, limit: number): Promise<Pipeline[]> {
    const rows = await em.query<PipelineRow[]>(LIST, [tenantId, after, limit]);
    return rows.map(toPipeline);
  }

  /** The ids of all pipelines. */
  async ids(em: EntityManager, tenantId: string): Promise<string[]> {
    const rows = await em.query<{ id: string }[]>(IDS, [tenantId]);
    return rows.map(({ id }) => id);
  }

  /** The relations that point into a pipeline, its own among them, each with the pipeline that has it. */
  async relationsInto(em: EntityManager, tenantId: string, id: string): Promise<Relation[]> {
    const relations: Relation[] = [];
    for (const row of await em.query<{ id: string; slug: string }[]>(INTO, [tenantId, id])) {
      const pipeline = await this.find(em, tenantId, row.id);
      if (pipeline) relations.push({ pipeline, slug: row.slug });
    }
    return relations;
  }

  private async load(em: EntityManager, tenantId: string, id: string): Promise<Pipeline | undefined> {
    const [row] = await em.query<PipelineRow[]>(LOAD, [tenantId, id]);
    if (!row) return undefined;
    const pipeline = toPipeline(row);
    if (!row.is_own) this.cache.set(key(tenantId, id), pipeline);
    return pipeline;
  }
}

function key(tenantId: string, id: string): string {
  return `${tenantId} ${id}`;
}

function toPipeline(row: PipelineRow): Pipeline {
  const { id, name, slug, version, fields } = row;
  const [createdAt, updatedAt] = [row.created_at.toISOString(), row.updated_at.toISOString()];
  return { id, name, slug, version, fields, createdAt, updatedAt };
}
