import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, sample, test, truth } from './test';

const direction = 'Which way does the red circle move?';

test('drop a video, see the plan, ask, click a time', async ({ page, tru }) => {
  await tru.shot('1-start');
  await tru.accessible();
  const bytes = [...readFileSync(sample('arrival.mp4'))];
  const dataTransfer = await page.evaluateHandle((data) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(data)], 'arrival.mp4', { type: 'video/mp4' }));
    return transfer;
  }, bytes);
  await page.dispatchEvent('body', 'dragenter', { dataTransfer });
  await expect(page.getByText('Drop to add the video')).toBeVisible();
  await page.dispatchEvent('body', 'drop', { dataTransfer });
  await page.getByTestId('plan-cost').waitFor();

  const frames = page.getByTestId('plan-strip').locator('img');
  const balanced = await frames.count();
  const width = () => frames.first().evaluate((img: HTMLImageElement) => img.naturalWidth);
  await expect.poll(width).toBeGreaterThan(0);
  await tru.shot('2-plan');
  await tru.accessible();
  await page.getByRole('button', { name: 'All settings' }).click();
  await page.getByLabel('Frames per second').fill('1');
  await expect.poll(() => frames.count()).toBeLessThan(balanced);
  await page.getByRole('button', { name: 'Reset' }).click();
  await expect.poll(() => frames.count()).toBe(balanced);

  await tru.ask('When does the green star appear?');
  await page.getByTestId('progress').waitFor();
  await tru.shot('3-progress');
  await tru.answered();
  const chip = tru.answer.getByTestId('time-chip').first();
  const seconds = Number(await chip.getAttribute('data-seconds'));
  expect(seconds).toBeGreaterThan(0); // how true it is, the model's own tests measure
  await chip.click();
  const player = page.getByTestId('player');
  const place = () => player.evaluate((video: HTMLVideoElement) => video.currentTime);
  await expect.poll(place).toBeCloseTo(seconds, 1);
  await expect(page.getByTestId('timeline').getByTestId('timeline-mark')).toHaveCount(1);
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save as SRT' }).click();
  const saved = readFileSync(await (await download).path(), 'utf8');
  expect(saved).toMatch(/^1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\nThe green star appears/);
  await page.getByTestId('report').getByRole('button').click();
  await expect(page.getByTestId('report')).toContainText(`${balanced} of `);
  await tru.shot('4-answer');
  await tru.accessible();
});

test('export, another try, comparison, follow-up and history', async ({ page, tru }) => {
  await tru.choose(sample('passing.mp4'));
  await tru.ask(direction);
  const first = await tru.answered();
  expect(first).toBe(truth('passing.mp4', direction));

  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.getByRole('button', { name: 'Copy as JSON' }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(JSON.parse(copied)).toMatchObject({ response: first, video_report: [{ codec: 'h264' }] });

  await page.getByRole('button', { name: 'Ask again: Quick' }).click();
  await expect(page.getByRole('button', { name: 'Answer 2: Quick' })).toBeVisible();
  await tru.answered();
  await page.getByTestId('compare').click();
  await expect(page.getByTestId('answer')).toHaveCount(2);
  await tru.shot('5-compare');
  await tru.accessible();

  await page.getByRole('button', { name: 'All settings' }).click();
  await page.getByLabel('Number of frames').fill('4');
  await page.getByTestId('retry-chosen').first().click();
  await expect(page.getByRole('button', { name: 'Answer 3: Balanced' })).toBeVisible();
  await tru.answered();
  await page.getByRole('button', { name: 'Answer 3: Balanced' }).click();
  await page.getByTestId('report').getByRole('button').click();
  await expect(page.getByTestId('report')).toContainText('4 of ');
  await page.getByRole('button', { name: 'Reset' }).click();
  await page.getByTestId('compare').click();

  await tru.ask('How many shapes are there?');
  await expect(page.getByRole('article')).toHaveCount(2);
  await expect(page.getByTestId('answer')).toHaveCount(3);
  await tru.answered();

  await page.getByTestId('open-history').click();
  const history = page.getByTestId('history');
  await expect(history.getByRole('listitem')).toHaveCount(1);
  await tru.shot('6-history');
  await tru.accessible();
  await history.getByRole('button', { name: 'Close' }).click();
  await page.getByRole('button', { name: 'New question' }).click();
  await page.getByTestId('open-history').click();
  await history.getByRole('button', { name: /^Which way/ }).click();
  await expect(page.getByRole('article')).toHaveCount(2);
  await expect(page.getByTestId('plan-cost')).toBeVisible();
  await page.getByTestId('open-history').click();
  await history.getByRole('button', { name: 'Clear history' }).click();
  await history.getByRole('button', { name: 'Yes, forget all' }).click();
  await expect(history.getByText('will be kept here')).toBeVisible();
});

test('two videos in one question', async ({ page, tru }) => {
  await tru.choose(sample('passing.mp4'), sample('arrival.mp4'));
  await expect(page.getByRole('list', { name: 'Videos' }).getByRole('listitem')).toHaveCount(2);
  await tru.ask('Describe the video.');
  expect(await tru.answered()).not.toBe('');
  await page.getByTestId('report').getByRole('button').click();
  await expect(page.getByTestId('report')).toContainText('arrival.mp4');
});

test('a video by its address', async ({ page, tru }) => {
  const bytes = readFileSync(sample('passing.mp4'));
  const host = createServer((_, response) => {
    response.writeHead(200, { 'Content-Type': 'video/mp4', 'Content-Length': bytes.length });
    response.end(bytes);
  });
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  const { port } = host.address() as AddressInfo;
  await page.getByTestId('url-input').fill(`http://127.0.0.1:${port}/clips/passing.mp4`);
  await tru.ask(direction);
  expect(await tru.answered()).toBe(truth('passing.mp4', direction));
  await tru.shot('7-url');
  await tru.accessible();
  host.close();
});

test('a part of the video, by its handles', async ({ page, tru }) => {
  await tru.choose(sample('arrival.mp4'));
  const frames = page.getByTestId('plan-strip').locator('img');
  const all = await frames.count();
  await page.getByRole('slider', { name: 'End of the part to watch' }).focus();
  for (let i = 0; i < 4; i += 1) await page.keyboard.press('PageDown');
  await expect(page.getByText('0:00.0 – 0:04.0')).toBeVisible();
  await expect.poll(() => frames.count()).toBe(all / 2);
  const handle = page.getByRole('slider', { name: 'Start of the part to watch' });
  const box = (await handle.boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + 150, box.y + box.height / 2, { steps: 5 });
  await page.mouse.up();
  await expect.poll(() => frames.count()).toBeLessThan(all / 2);
  await tru.shot('23-trim');
  await tru.accessible();
  const seen = await frames.count();
  await tru.ask('What happens in this video?');
  await tru.answered();
  await page.getByTestId('report').getByRole('button').click();
  await expect(page.getByTestId('report')).toContainText(`${seen} of `);
  await page.getByRole('button', { name: 'Whole video' }).click();
  await expect.poll(() => frames.count()).toBe(all);
});

test('the questions to begin with are ones that the demo model knows', async ({ page, server }) => {
  await page.goto(server.url);
  await page.getByRole('button', { name: 'List all shapes as JSON.' }).waitFor();
  const row = page.getByText('Try', { exact: true }).locator('..');
  const questions = await row.getByRole('button').allInnerTexts();
  expect(questions).toHaveLength(4);
  for (const prompt of questions) {
    const video = {
      name: 'a.mp4',
      mimeType: 'video/mp4',
      buffer: readFileSync(sample('arrival.mp4')),
    };
    const answer = await page.request.post(`${server.url}/v1/inference/upload`, {
      multipart: { video, prompt, temperature: '0' },
    });
    const { response } = (await answer.json()) as { response: string };
    expect(response, prompt).toMatch(/shapes\.|triangle/);
  }
});

test('a link that is pasted', async ({ page, tru }) => {
  await page.evaluate(() => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text', 'https://example.org/clips/holiday.mp4');
    document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
  });
  await expect(page.getByRole('list', { name: 'Videos' })).toContainText('holiday.mp4');
  await tru.shot('35-pasted');
  await tru.accessible();
});

test('a sample to begin with', async ({ page, tru }) => {
  await page.getByTestId('sample').click();
  await page.getByTestId('plan-cost').waitFor();
  await expect(page.getByTestId('prompt-input')).toHaveValue(direction);
  await page.getByTestId('ask').click();
  expect(await tru.answered()).toBe(truth('passing.mp4', direction));
});

test('boxes are drawn over the picture', async ({ page, tru }) => {
  await tru.choose(sample('passing.mp4'));
  await tru.ask('Where is the blue square?');
  expect(await tru.answered()).toContain('bbox_2d');
  const box = page.getByRole('img', { name: 'Box: blue square' });
  const [drawn, picture] = [
    await box.boundingBox(),
    await page.getByTestId('player').boundingBox(),
  ];
  expect(drawn && picture && drawn.width < picture.width && drawn.x > picture.x).toBe(true);
  await tru.shot('9-boxes');
  await tru.accessible();
});

test('reload in the middle', async ({ page, tru }) => {
  await tru.choose(sample('departure.mp4'));
  await tru.ask('Describe the video.');
  await page.getByTestId('progress').waitFor();
  await page.reload();
  await expect(page.getByRole('article')).toHaveCount(1);
  expect(await tru.answered()).not.toBe('');
  await page.getByTestId('plan-cost').waitFor();
  await tru.shot('8-reloaded');
});
