import { MaintenanceEnded } from './maintenance-job.js';

/** The lease of a run that works: renewed at each third of it, however long a batch takes. */
export class KeptLease {
  private renewedAt = performance.now();
  private lost = false;
  private readonly timer: NodeJS.Timeout;

  /** @param renew asks for the lease anew; false where the run is another's by now. */
  constructor(
    private readonly leaseMs: number,
    private readonly renew: () => Promise<boolean>,
  ) {
    // What fails here is asked for again before the next batch, and ends the run there.
    this.timer = setInterval(() => void this.keep().catch(() => undefined), leaseMs / 3);
  }

  /** @throws MaintenanceEnded when the run is another's by now; what went wrong where nobody can tell. */
  async expect(): Promise<void> {
    const isLate = performance.now() - this.renewedAt > this.leaseMs / 2;
    if (isLate && !this.lost) await this.keep();
    if (this.lost) throw new MaintenanceEnded('Another process took over.');
  }

  /** Renews it no more. */
  letGo(): void {
    clearInterval(this.timer);
  }

  private async keep(): Promise<void> {
    const asked = performance.now();
    if (await this.renew()) this.renewedAt = asked;
    else this.lost = true;
  }
}
