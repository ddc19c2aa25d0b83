import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { Page } from '@playwright/test';
import { root } from './server';
import { expect, sample, test, Tru, truth } from './test';

const question = 'Which way does the red circle move?';

let folder = '';
const long = () => path.join(folder, 'long.mp4');

test.beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'tru-e2e-'));
  const pattern = ['-f', 'lavfi', '-i', 'testsrc2=size=640x480:rate=30:duration=60'];
  execFileSync('ffmpeg', ['-v', 'error', ...pattern, '-preset', 'ultrafast', long()]);
});
test.afterAll(() => rmSync(folder, { recursive: true }));

/**
 * Presses Cancel as soon as the page says that it is at `stage`. The events of the answer reach the
 * page one at a time: the stages overlap, and two that come together would be drawn as the later.
 */
async function cancelAt(page: Page, stage: string): Promise<void> {
  await page.evaluate((wanted) => {
    const send = window.fetch.bind(window);
    window.fetch = async (...request) => {
      const response = await send(...request);
      const type = response.headers.get('content-type') ?? '';
      if (!response.body || !type.startsWith('text/event-stream')) return response;
      let rest = '';
      const oneAtATime = new TransformStream<string, string>({
        async transform(chunk, controller) {
          const events = (rest + chunk).split('\n\n');
          rest = events.pop() ?? '';
          for (const event of events) {
            controller.enqueue(`${event}\n\n`);
            await new Promise((drawn) => setTimeout(drawn, 50));
          }
        },
      });
      const text = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(oneAtATime);
      return new Response(text.pipeThrough(new TextEncoderStream()), response);
    };
    new MutationObserver((_, observer) => {
      const progress = document.querySelector('[data-testid="progress"]');
      if (!progress?.querySelector('[role="status"]')?.textContent?.includes(wanted)) return;
      observer.disconnect();
      document.querySelector<HTMLElement>('[data-testid="cancel"]')?.click();
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  }, stage);
}

async function uploadSlowly(page: Page): Promise<void> {
  const cdp = await page.context().newCDPSession(page);
  const speed = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 200_000 };
  await cdp.send('Network.emulateNetworkConditions', speed);
  await page.getByTestId('video-input').setInputFiles(long());
}

test('cancel while uploading', async ({ page, tru }) => {
  await uploadSlowly(page);
  await tru.ask('Describe the video.');
  await expect(page.getByTestId('progress')).toContainText('Uploading');
  await expect(page.getByText(/Uploading \d+ %, .*\/s, .* left/)).toBeVisible();
  await expect(page).toHaveTitle('Uploading the video · TRU');
  await tru.shot('12-uploading');
  await tru.accessible();
  await page.getByTestId('cancel').click();
  await expect(page.getByText('Cancelled.')).toBeVisible();
  await expect(page.getByTestId('progress')).toHaveCount(0);
  await expect(page.getByTestId('upload-again')).toBeVisible();
});

test('reload while uploading', async ({ page, tru }) => {
  await uploadSlowly(page);
  await tru.ask('Describe the video.');
  await expect(page.getByText(/Uploading \d+ %/)).toBeVisible();
  await page.reload();
  await expect(page.getByText('The page was closed before the question was sent.')).toBeVisible();
  await expect(page.getByText('Not uploaded')).toBeVisible();
  await tru.shot('29-upload-interrupted');
  await tru.accessible();
  // The file did not survive, so another try asks for it, and puts it in the place of the first.
  await page.getByTestId('retry').click();
  await expect(page.getByText('This page no longer has the file.')).toBeVisible();
  const chooser = page.waitForEvent('filechooser');
  await page.getByTestId('retry').click();
  await (await chooser).setFiles(sample('passing.mp4'));
  await expect(page.getByRole('list', { name: 'Videos' }).getByRole('listitem')).toHaveCount(1);
  await tru.ask(question);
  expect(await tru.answered()).toBe(truth('passing.mp4', question));
});

test('cancel while the server fetches the video', async ({ page, tru }) => {
  let left = false;
  const host = createServer((request, response) => {
    request.socket.on('close', () => (left = true));
    response.writeHead(200, { 'Content-Type': 'video/mp4', 'Content-Length': 10_000_000 });
    response.write(readFileSync(long()).subarray(0, 100_000)); // and no more
  });
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  const { port } = host.address() as AddressInfo;
  await page.getByTestId('url-input').fill(`http://127.0.0.1:${port}/clip.mp4`);
  await tru.ask('Describe the video.');
  await expect(page.getByTestId('progress')).toContainText('Fetching the video');
  await tru.shot('11-fetching');
  await tru.accessible();
  await page.getByTestId('cancel').click();
  await expect(page.getByText('Cancelled.')).toBeVisible();
  await expect.poll(() => left).toBe(true);
  host.close();
});

for (const stage of ['Starting', 'Reading frames', 'Looking at frames', 'Thinking it over']) {
  test(`cancel at: ${stage}`, async ({ page, server, tru }) => {
    await tru.choose(long());
    await page.getByText('Detailed', { exact: true }).first().click();
    await cancelAt(page, stage);
    await tru.ask('Describe the video.');
    await expect(page.getByText('Cancelled.')).toBeVisible();
    await expect.poll(() => server.running(), { timeout: 30_000 }).toBe(0);
  });
}

test('cancel in the middle of the answer', async ({ page, launch }) => {
  // A model of random weights talks until it is stopped.
  const talk = { TEMPERATURE: '2', TOP_K: '0', TOP_P: '1', MAX_NEW_TOKENS: '30000' };
  const model = path.join(root, 'tests/data/models/dense-tied');
  const server = await launch({ MODEL_PATH: model, ...talk });
  const tru = new Tru(page);
  await tru.open(server.url);
  await tru.choose(path.join(root, 'models/demo/samples/passing.mp4'));
  await tru.ask('Describe the video.');
  await expect(tru.answer).toHaveAttribute('data-state', 'answering');
  await page.getByTestId('cancel').click();
  await expect(page.getByText('Cancelled.')).toBeVisible();
  await expect(tru.answer).not.toBeEmpty(); // what was said stays
  await expect.poll(() => server.running(), { timeout: 30_000 }).toBe(0);
});
