import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from '../test';

/** Anonymous and shared memory of a process in MiB; its program's own files do not count. */
function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'ascii');
  const kib = [...status.matchAll(/^Rss(?:Anon|Shmem):\s+(\d+)/gm)].map(([, size]) => Number(size));
  return kib.reduce((sum, size) => sum + size, 0) / 1024;
}

test('a gigabyte goes up without growing the tab', async ({ browser, page, tru }) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'tru-e2e-'));
  const file = path.join(folder, 'huge.mp4');
  writeFileSync(file, Buffer.from('\0\0\0\x18ftypisom\0\0\0\0'));
  truncateSync(file, 1_000_000_000);
  const cdp = await browser.newBrowserCDPSession();
  const memory = async () => {
    const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');
    const tabs = processInfo.filter((info) => info.type === 'renderer');
    return tabs.reduce((sum, info) => sum + memoryOf(info.id), 0);
  };
  const before = await memory();
  let peak = before;
  const steps: { at: number; percent: number }[] = [];
  await page.getByTestId('video-input').setInputFiles(file);
  while (!(await page.getByTestId('error').isVisible())) {
    peak = Math.max(peak, await memory());
    const shown = (await page.locator('main').innerText()).match(/Uploading (\d+) %/)?.[1];
    const percent = Number(shown ?? -1);
    if (shown && percent !== steps.at(-1)?.percent) steps.push({ at: Date.now(), percent });
    if (steps.length === 10) await tru.shot('30-gigabyte');
    await page.waitForTimeout(50);
  }
  const grown = Math.round(peak - before);
  const longest = Math.max(...steps.slice(1).map(({ percent }, i) => percent - steps[i]!.percent));
  console.log(`${steps.length} steps, the longest ${longest} %; the tab grew by ${grown} MiB`);
  expect(steps.map(({ percent }) => percent)).toEqual(
    steps.map(({ percent }) => percent).sort((a, b) => a - b),
  );
  expect(steps.length).toBeGreaterThan(10);
  expect(longest).toBeLessThanOrEqual(25);
  expect(grown).toBeLessThanOrEqual(100);
  rmSync(folder, { recursive: true });
});
