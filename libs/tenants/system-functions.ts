/**
 * Every function of the database that runs with the rights of the system role, and why it has to: each reads or writes
 * across tenants, or before a tenant is known. A test compares this list with the database.
 */
export const SYSTEM_FUNCTIONS: Readonly<Record<string, string>> = {
  'ai_drop_old_events(interval)': 'Removes the events of all tenants once they are too old to be read.',
  'ai_ensure_ledger_months(date,integer)':
    'Makes ledger partitions, whose table the application must not own.',
  'ai_tenants_to_settle(integer)': 'Finds the tenants whose finished calls wait to be moved into budgets.',
  'ai_enqueue_jobs(text,jsonb)':
    "Inserts jobs in the host's own transaction, whatever role and tenant it runs with.",
  'ai_dispatch_jobs(integer,integer,integer,text,text,integer)':
    'Hands out due jobs of all tenants in turn, none above its window.',
  'ai_next_due()':
    'Tells when the next job of any tenant is due, so that the dispatcher can sleep until then.',
  'ai_sweep_jobs(integer,integer)': 'Takes back the jobs that dead workers of any tenant have left.',
  'ai_clear_old_work(integer)': 'Removes cached results and old work of all tenants.',
  'host_find_login(text)': 'Finds who signs in by e-mail alone, before their tenant is known.',
  'host_find_principal(text,text,integer)':
    'Checks a token at every request in one statement, without a transaction.',
};
