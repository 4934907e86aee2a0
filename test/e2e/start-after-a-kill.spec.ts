import { jest } from '@jest/globals';
import { Api } from '../support/api.js';
import { goneFrom, makeDataFolder, type DataFolder } from '../support/data-folder.js';
import { isRunning, runProduct, type Program } from '../support/program.js';

jest.setTimeout(120_000);

const SERVES = /Fieldsmith runs at (\S+)/;

describe('a start after a kill', () => {
  let folder: DataFolder;
  let program: Program | undefined;

  beforeEach(() => {
    folder = makeDataFolder();
  });

  afterEach(async () => {
    program?.process.kill('SIGTERM');
    await program?.ended;
    await folder.remove();
  });

  async function serve(): Promise<string> {
    program = runProduct({ DATA_DIR: folder.path, PORT: '0', DEMO: '0' });
    return (await program.said(SERVES))[1]!;
  }

  async function kill(): Promise<void> {
    program!.process.kill('SIGKILL');
    expect(await program!.ended).toBeNull();
  }

  async function addNote(api: Api): Promise<string> {
    const fields = [{ name: 'Note', slug: 'note', field_type: 'text' }];
    const pipeline = await api.post('/pipelines', { name: 'Notes', fields });
    const { id } = await api.post(`/pipelines/${pipeline.id}/records`, { data: { note: 'kept' } });
    return id;
  }

  it('adopts the Postgres that survived, and starts one anew where it was killed too', async () => {
    const api = await Api.register(await serve());
    const id = await addNote(api);
    const postgres = folder.postgresPid()!;

    await kill();
    expect(isRunning(postgres)).toBe(true);
    const adopting = api.at(await serve());
    expect(program!.output()).toContain(`Adopted Postgres (pid ${postgres},`);
    expect(folder.postgresPid()).toBe(postgres);
    expect((await adopting.get(`/records/${id}`)).data).toEqual({ note: 'kept' });

    await kill();
    process.kill(postgres, 'SIGKILL');
    await goneFrom(postgres);
    const recovered = api.at(await serve());
    expect(program!.output()).not.toContain('Adopted');
    expect(folder.postgresPid()).not.toBe(postgres);
    expect((await recovered.get(`/records/${id}`)).data).toEqual({ note: 'kept' });

    // An adopted or recovered Postgres is stopped with the product like any other.
    const last = folder.postgresPid()!;
    program!.process.kill('SIGTERM');
    expect(await program!.ended).toBe(0);
    expect(isRunning(last)).toBe(false);
  });

  it('works after Postgres alone was killed, which ends the product with a line that says so', async () => {
    const api = await Api.register(await serve());
    const id = await addNote(api);
    const postgres = folder.postgresPid()!;
    process.kill(postgres, 'SIGKILL');
    expect(await program!.ended).toBe(1);
    expect(program!.output()).toContain(
      'Postgres has stopped by itself; see postgres.log in the data folder. Start again to recover.',
    );
    const again = api.at(await serve());
    expect((await again.get(`/records/${id}`)).data).toEqual({ note: 'kept' });
  });

  it('is refused while another product uses the folder, which goes on', async () => {
    const api = await Api.register(await serve());
    const second = runProduct({ DATA_DIR: folder.path, PORT: '0', DEMO: '0' });
    expect(await second.ended).toBe(1);
    expect(second.output().trim().split('\n')).toHaveLength(1);
    expect(second.output()).toContain(folder.path);
    expect((await api.get('/auth/me')).tenant.id).toBe(api.tenantId);
  });
});
