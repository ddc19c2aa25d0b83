import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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

test('a server that goes and comes back', async ({ page, launch }) => {
  const server = await launch();
  const tru = new Tru(page);
  await tru.open(server.url);
  await tru.choose(sample('passing.mp4'));
  await server.stop();
  await expect(page.getByText('The server does not answer. Start it with ./run')).toBeVisible();
  await expect(page.getByTestId('plan-cost')).toBeVisible(); // what was known stays
  await tru.ask(question);
  await expect(error(tru)).toHaveAttribute('data-code', 'offline');
  const broken = (pictures: HTMLImageElement[]) =>
    pictures.filter((picture) => picture.complete && picture.src && !picture.naturalWidth).length;
  await expect.poll(() => page.locator('img').evaluateAll(broken)).toBe(0);
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
  await tru.accessible();
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
  await tru.accessible();
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

test('addresses that lead to no video', async ({ page, tru }) => {
  const host = createServer((request, response) => {
    response.writeHead(request.url === '/gone.mp4' ? 404 : 200);
    response.end('Words, and no video.');
  });
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  const { port } = host.address() as AddressInfo;
  await page.getByTestId('url-input').fill('ftp://example.org/clip.mp4');
  await page.getByRole('button', { name: 'Add link' }).click();
  await expect(page.getByText('it must begin with http:// or https://')).toBeVisible();
  await page.getByTestId('url-input').fill(`http://127.0.0.1:${port}/gone.mp4`);
  await tru.ask(question);
  await expect(error(tru)).toHaveAttribute('data-code', 'source_http_error');
  await tru.shot('24-gone');
  await page.getByRole('button', { name: 'New question' }).click();
  await page.getByTestId('url-input').fill(`http://127.0.0.1:${port}/words.mp4`);
  await tru.ask(question);
  await expect(error(tru)).toHaveAttribute('data-code', 'unsupported_media'); // 415
  await tru.accessible();
  await tru.shot('25-unsupported');
  host.close();
});

test('a server that wants a key', async ({ page, launch }) => {
  const key = 'open-sesame-0123456789';
  const server = await launch({ AUTH: 'on', API_KEYS: key });
  const tru = new Tru(page);
  await tru.open(server.url);
  await expect(page.locator('[data-state="locked"]')).toBeVisible();
  await page.getByTestId('video-input').setInputFiles(sample('passing.mp4'));
  await expect(error(tru)).toContainText('This server wants an access key.');
  await tru.shot('26-locked');
  await tru.accessible();
  await page.getByTestId('enter-key').click();
  await page.getByLabel('Access key').fill(key);
  await page.getByRole('button', { name: 'Save key' }).click();
  await page.getByTestId('system').getByRole('button', { name: 'Close' }).click();
  await page.getByTestId('upload-again').click();
  await expect(page.getByTestId('plan-strip').locator('img').first()).toHaveAttribute('src', /./);
  await tru.ask(question);
  expect(await tru.answered()).toBe(truth('passing.mp4', question));
});

test('without a network', async ({ page, context, tru }) => {
  await context.setOffline(true);
  await expect(page.getByText('This device is offline.')).toBeVisible();
  await tru.shot('27-offline');
  await context.setOffline(false);
  await expect(page.locator('[data-state="ready"]')).toBeVisible();
});
