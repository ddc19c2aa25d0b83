import type { Health } from '@/lib/api/types';
import { ui } from '@/lib/strings/ui';

/** What `health/detailed` says, as rows to read; what it leaves out has no row. */
export function systemRows(health: Health): [string, string][] {
  const { model, gpu, queue, version } = health;
  const devices = gpu.devices.map((device) => device.name).join(', ');
  const rows: [string, string | null][] = [
    [ui.system.model, model.loaded ? (model.name ?? model.path) : ui.system.loading],
    [ui.system.backend, model.backend],
    [ui.system.device, devices || null],
    [ui.system.cpu, text(health.cpu)],
    [ui.system.memory, text(health.memory)],
    [ui.system.queue, ui.system.queueOf(queue.running, queue.waiting, queue.capacity)],
    [ui.system.version, version],
  ];
  return rows.filter((row): row is [string, string] => Boolean(row[1]));
}

function text(value: unknown): string | null {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  if (typeof value !== 'object' || value === null) return null;
  return Object.entries(value)
    .filter(([, item]) => ['string', 'number', 'boolean'].includes(typeof item))
    .map(([name, item]) => `${name.replaceAll('_', ' ')} ${String(item)}`)
    .join(', ');
}
