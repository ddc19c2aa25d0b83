import type { Health } from '@/lib/api/types';
import { bytes } from '@/lib/format';
import { ui } from '@/lib/strings/ui';

/** What `health/detailed` says, as rows to read; what it leaves out has no row. */
export function systemRows(health: Health): [string, string][] {
  const { model, gpu, queue, version } = health;
  const devices = gpu.devices.map((device) => device.name).join(', ');
  const rows: [string, string | null][] = [
    [ui.system.model, model.loaded ? (model.name ?? model.path) : ui.system.loading],
    [ui.system.backend, model.backend],
    [ui.system.device, devices || null],
    [ui.system.cpu, cpu(health.cpu ?? {})],
    [ui.system.memory, memory(health.memory ?? {})],
    [ui.system.queue, ui.system.queueOf(queue.running, queue.waiting, queue.capacity)],
    [ui.system.version, version],
  ];
  return rows.filter((row): row is [string, string] => Boolean(row[1]));
}

/** The machine's facts are open-ended in the service's own words; these are the ones shown. */
interface Machine {
  name?: string;
  threads?: number;
  total_bytes?: number;
  available_bytes?: number;
}

const cpu = ({ name, threads }: Machine) =>
  [name, threads && ui.system.threads(threads)].filter(Boolean).join(' · ');

const memory = ({ total_bytes: total, available_bytes: free }: Machine) =>
  total && free ? ui.system.free(bytes(free), bytes(total)) : null;
