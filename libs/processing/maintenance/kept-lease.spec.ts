import { jest } from '@jest/globals';
import { KeptLease } from './kept-lease.js';
import { MaintenanceEnded } from './maintenance-job.js';

const LEASE_MS = 3_000;

describe('KeptLease', () => {
  let lease: KeptLease;
  const renew = jest.fn<() => Promise<boolean>>();

  beforeEach(() => {
    jest.useFakeTimers();
    renew.mockReset().mockResolvedValue(true);
    lease = new KeptLease(LEASE_MS, renew);
  });

  afterEach(() => {
    lease.letGo();
    jest.useRealTimers();
  });

  it('is renewed while one batch takes longer than it', async () => {
    await jest.advanceTimersByTimeAsync(4 * LEASE_MS);
    expect(renew).toHaveBeenCalledTimes(12);
    await lease.expect();
    expect(renew).toHaveBeenCalledTimes(12);
  });

  it('tells a run that lost it in the middle of a batch before the next one', async () => {
    renew.mockResolvedValue(false);
    await jest.advanceTimersByTimeAsync(LEASE_MS / 3);
    await expect(lease.expect()).rejects.toThrow(MaintenanceEnded);
  });

  it('is asked for before the next batch where that failed, as by a process that slept', async () => {
    renew.mockRejectedValue(new Error('The database is away.'));
    await lease.expect();
    await jest.advanceTimersByTimeAsync(LEASE_MS);
    await expect(lease.expect()).rejects.toThrow('The database is away.');
    renew.mockResolvedValue(true);
    await lease.expect();
  });

  it('is let go at the end', async () => {
    lease.letGo();
    await jest.advanceTimersByTimeAsync(LEASE_MS);
    expect(renew).not.toHaveBeenCalled();
  });
});
