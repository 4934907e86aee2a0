/**
 * Every function of the database that runs with the rights of the system role, and why it has to: each reads or writes
 * across tenants, or before a tenant is known. A test compares this list with the database.
 */
export const SYSTEM_FUNCTIONS: Readonly<Record<string, string>> = {
  'ai_drop_old_events(interval,integer)':
    'Removes the events of all tenants once they are too old to be read.',
  'ai_ensure_ledger_months(date,integer)':
    'Makes ledger partitions, whose table the application must not own.',
  'ai_drop_ledger_month(date)':
    'Drops the oldest ledger partition once every tenant is done with it; the application owns no partition.',
  'ai_mend_ledger_positions()':
    'Numbers the ledger of all tenants anew where the database was restored into another cluster.',
  'ai_tenants_to_settle(integer)': 'Finds the tenants whose finished calls wait to be moved into budgets.',
  'ai_enqueue_jobs(text,jsonb)':
    "Inserts jobs in the host's own transaction, whatever role and tenant it runs with.",
  'ai_dispatch_jobs(integer,integer,integer,integer,text,text,integer)':
    'Hands out due jobs of all tenants in turn, none above its window.',
  'ai_take_back_jobs(jsonb)': 'Ends hand-overs of jobs of any tenant that did not reach a worker.',
  'ai_next_due()':
    'Tells when the next job of any tenant is due, so that the dispatcher can sleep until then.',
  'ai_sweep_jobs(integer,integer)': 'Takes back the jobs that dead workers of any tenant have left.',
  'ai_known_tenants(text,integer)': 'Lists the tenants whose old work the maintenance clears, one by one.',
  'ai_worker_beat(text,integer,integer)': 'Keeps the list of workers, which belongs to no tenant.',
  'ai_worker_gone(text)': 'Takes a worker that stops off the list.',
  'ai_workers_alive(integer)': 'Lists the workers that are alive.',
  'ai_sweep_workers(integer)': 'Takes the workers that died off the list.',
  'ai_claim_maintenance(text[],text,integer,boolean)':
    'Gives one process at a time the lease of a maintenance job, which belongs to no tenant.',
  'ai_renew_maintenance(text,bigint,integer)': 'Keeps the lease of a maintenance job that runs.',
  'ai_end_maintenance(text,bigint,text,jsonb,bigint)': 'Records how a maintenance job ended.',
  'ai_maintenance_state()': 'Tells when each maintenance job ran and how it ended.',
  'ai_operating_figures(integer)': 'Counts the work of all tenants for the metrics, without naming any.',
  'host_migrations_run()': 'Lists the migrations that were run, in a table of the owner.',
  'ai_take_run(uuid,integer)':
    'Gives a run of any tenant, whose process died while it queued, to one process.',
  'ai_key_has_room(text,text,integer,uuid,integer)':
    'Counts the calls that all tenants have in flight on a shared key, and tells only whether one more may go.',
  'ai_call_next(text,text,integer)':
    'Calls the next jobs that wait for a provider key, of whatever tenant has the smallest share of it.',
  'ai_key_lines()': 'Finds the provider keys that jobs of any tenant wait for.',
  'ai_tell_key_changed(text,text,jsonb)':
    'Tells all tenants that wait for a shared key that it failed, or works again.',
  'ai_secrets_to_rotate(text,text,text,integer)':
    'Finds the provider keys of all tenants that an old master key has sealed, without the keys themselves.',
  'host_find_login(text)': 'Finds who signs in by e-mail alone, before their tenant is known.',
  'host_find_principal(text,text,integer)':
    'Checks a token at every request in one statement, without a transaction.',
};
