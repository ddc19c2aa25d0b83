import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, sample, test, Tru, truth } from './test';

let folder = '';
const file = (name: string) => path.join(folder, name);
const question = 'Which way does the red circle move?';
const error = (tru: Tru) => tru.page.getByTestId('error');

test.beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'tru-e2e-'));
  const pattern = ['-f', 'lavfi', '-i', 'testsrc2=size=640x480:rate=30:duration=60'];
  execFileSync('ffmpeg', ['-v', 'error', ...pattern, '-preset', 'ultrafast', file('long.mp4')]);
});
test.afterAll(() => rmSync(folder, { recursive: true }));

test('files that cannot be used are told before or after the upload', async ({ page, tru }) => {
  writeFileSync(file('notes.mp4'), 'Not a video at all.');
  // A little more than four hours; a frame in ten seconds keeps it small.
  const hours = ['-f', 'lavfi', '-i', 'color=size=64x64:rate=1/10:duration=14410'];
  execFileSync('ffmpeg', ['-v', 'error', ...hours, '-preset', 'ultrafast', file('hours.mp4')]);
  // The first bytes are a video's, so only the service can tell.
  writeFileSync(file('broken.mp4'), Buffer.from(`\0\0\0\x18ftypisom${'x'.repeat(2000)}`));
  const cases = [
    { name: 'notes', says: 'This is not a video of a kind that can be read', sent: false },
    { name: 'hours', says: 'This video is longer than 4 hours.', sent: false },
    { name: 'broken', says: 'This video is damaged and cannot be read.', sent: true },
  ];
  for (const { name, says, sent } of cases) {
    const uploads: string[] = [];
    page.on('request', (request) => request.method() === 'POST' && uploads.push(request.url()));
    await page.getByTestId('video-input').setInputFiles(file(`${name}.mp4`));
    await expect(error(tru)).toContainText(says);
    expect(uploads.length > 0).toBe(sent);
    await tru.shot(`10-${name}`);
    await tru.accessible();
    await page.getByRole('button', { name: 'New question' }).click();
  }
});

test('cancel while uploading', async ({ page, tru }) => {
  const cdp = await page.context().newCDPSession(page);
  const speed = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 200_000 };
  await cdp.send('Network.emulateNetworkConditions', speed);
  await page.getByTestId('video-input').setInputFiles(file('long.mp4'));
  await tru.ask('Describe the video.');
  await expect(page.getByTestId('progress')).toContainText('Uploading');
  await expect(page.getByText(/Uploading \d+ %, .*\/s, .* left/)).toBeVisible();
  await tru.shot('12-uploading');
  await tru.accessible();
  await page.getByTestId('cancel').click();
  await expect(page.getByText('Cancelled.')).toBeVisible();
  await expect(page.getByTestId('progress')).toHaveCount(0);
});

for (const stage of ['Starting', 'Reading frames', 'Looking at frames']) {
  test(`cancel at: ${stage}`, async ({ page, server, tru }) => {
    await tru.choose(file('long.mp4'));
    await page.getByText('Detailed', { exact: true }).first().click();
    await tru.ask('Describe the video.');
    if (stage !== 'Starting') await expect(page.getByTestId('progress')).toContainText(stage);
    await page.getByTestId('cancel').click();
    await expect(page.getByText('Cancelled.')).toBeVisible();
    await expect.poll(() => server.running(), { timeout: 10_000 }).toBe(0);
  });
}

test('a server that goes and comes back', async ({ page, launch }) => {
  const server = await launch();
  const tru = new Tru(page);
  await tru.open(server.url);
  await tru.choose(sample('passing.mp4'));
  await server.stop();
  await expect(page.getByText('The server does not answer. Start it with ./run')).toBeVisible();
  await tru.ask(question);
  await expect(error(tru)).toHaveAttribute('data-code', 'offline');
  await tru.shot('13-server-down');
  await tru.accessible();
  await server.start();
  await page.getByTestId('retry').click();
  expect(await tru.answered()).toBe(truth('passing.mp4', question));
});

test('too large for the server', async ({ page, launch }) => {
  const server = await launch({ MAX_VIDEO_SIZE_MB: '1' });
  const tru = new Tru(page);
  await tru.open(server.url);
  await page.getByTestId('video-input').setInputFiles(file('long.mp4'));
  await expect(error(tru)).toContainText('too large for the server');
  await tru.shot('14-too-large');
});

test('a full queue names the wait', async ({ page, launch }) => {
  const server = await launch({ QUEUE_SIZE: '1' });
  const tru = new Tru(page);
  await tru.open(server.url);
  const stored = page.waitForResponse((response) => response.url().endsWith('/v1/videos'));
  await tru.choose(file('long.mp4'));
  const { id } = (await (await stored).json()) as { id: string };
  const body = JSON.stringify({
    video_url: `tru://videos/${id}`,
    prompt: 'Describe the video.',
    video_params: { profile: 'detailed' },
    stream: true,
  });
  const post = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body };
  const others: Promise<Response>[] = [];
  const ask = () => others.push(fetch(`${server.url}/v1/inference/url`, post));
  const flood = setInterval(ask, 50); // a place that becomes free is taken at once
  await expect
    .poll(async () => (await Promise.all(others)).some((r) => r.status === 429))
    .toBe(true);
  await tru.ask('Describe the video.');
  await expect(error(tru)).toHaveAttribute('data-code', 'queue_full');
  clearInterval(flood);
  await tru.shot('15-queue-full');
  for (const response of others) await (await response).body?.cancel();
});

test('a model that is still loading', async ({ page, tru }) => {
  await tru.choose(sample('passing.mp4'));
  // The demo model is there before anyone can ask, so this answer of the service is played.
  const message = 'the model is being loaded';
  const body = { detail: message, error: { code: 'model_loading', message, retry_after_s: 2 } };
  await page.route('**/v1/inference/url', (route) => route.fulfill({ status: 503, json: body }));
  await tru.ask(question);
  await expect(error(tru)).toContainText('The model is still loading.');
  await expect(page.getByTestId('retry')).toBeDisabled();
  await tru.shot('22-model-loading');
  await page.unroute('**/v1/inference/url');
  await page.getByTestId('retry').click(); // once the wait is over
  expect(await tru.answered()).toBe(truth('passing.mp4', question));
});

test('a gigabyte goes up without growing the tab', async ({ browser, page, tru }) => {
  writeFileSync(file('huge.mp4'), Buffer.from('\0\0\0\x18ftypisom\0\0\0\0'));
  truncateSync(file('huge.mp4'), 1_000_000_000);
  const cdp = await browser.newBrowserCDPSession();
  const memory = async () => {
    const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');
    const tabs = processInfo.filter((info) => info.type === 'renderer');
    const rss = (pid: number) => Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)]));
    return tabs.reduce((sum, info) => sum + rss(info.id), 0) / 1024; // MiB
  };
  const before = await memory();
  let peak = before;
  const shares = new Set<string>();
  await page.getByTestId('video-input').setInputFiles(file('huge.mp4'));
  while (!(await error(tru).isVisible())) {
    peak = Math.max(peak, await memory());
    shares.add((await page.locator('main').innerText()).match(/Uploading \d+ %/)?.[0] ?? '');
    await page.waitForTimeout(100);
  }
  console.log(`${shares.size} steps, ${Math.round(peak - before)} MiB more`);
  expect(shares.size).toBeGreaterThan(3);
  expect(peak - before).toBeLessThan(100);
});
