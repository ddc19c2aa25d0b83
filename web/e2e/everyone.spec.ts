import { execFileSync } from 'node:child_process';
import { get } from 'node:http';
import path from 'node:path';
import { expect, sample, test, Tru, truth } from './test';

test('without JavaScript the form is answered with a page', async ({ browser, server }) => {
  const question = 'Which way does the red circle move?';
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(server.url);
  // This way of switching scripts off does not unhide it, so it is only looked for.
  expect(await page.locator('noscript').textContent()).toContain('JavaScript is off.');
  await new Tru(page).shot('16-no-script');
  await page.getByTestId('video-input').setInputFiles(sample('passing.mp4'));
  await page.getByTestId('prompt-input').fill(question);
  await page.getByTestId('ask').click();
  await page.waitForURL('**/v1/inference/upload');
  await expect(page.getByText(truth('passing.mp4', question))).toBeVisible();
  await new Tru(page).shot('17-no-script-answer');
  await context.close();
});

test('the guide, without JavaScript', async ({ browser, server }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(`${server.url}/docs/guide`);
  const names = page.getByRole('navigation').getByRole('link');
  expect(await names.count()).toBeGreaterThan(9);
  const links = (await page.locator('a[href^="/"]').all()).map((a) => a.getAttribute('href'));
  const addresses = new Set(await Promise.all(links));
  await new Tru(page).shot('32-guide');
  let pictures = 0;
  for (const address of addresses) {
    const response = await page.goto(server.url + address);
    expect(response?.status(), address ?? '').toBe(200);
    for (const picture of await page.locator('main img').all()) {
      const name = `${address} shows ${await picture.getAttribute('src')}`;
      const width = await picture.evaluate((img: HTMLImageElement) => img.naturalWidth);
      expect(width, name).toBeGreaterThan(0);
      expect(await picture.getAttribute('alt'), name).toBeTruthy();
      pictures += 1;
    }
    const inner = await page.locator('main a[href^="/docs"]').all();
    for (const link of inner) {
      const href = (await link.getAttribute('href')) ?? '';
      expect(addresses, `${address} leads to ${href}`).toContain(href.split('#')[0]);
    }
  }
  expect(pictures).toBeGreaterThan(0);
  await page.goto(`${server.url}/docs/guide/configuration`);
  await new Tru(page).shot('33-guide-page');
  expect(complaints).toEqual([]);
  await context.close();
});

test('the guide, for everyone', async ({ page, server }) => {
  const tru = new Tru(page);
  for (const name of ['', '/quickstart', '/configuration', '/architecture']) {
    await page.goto(`${server.url}/docs/guide${name}`);
    await tru.accessible();
  }
  await page.setViewportSize({ width: 320, height: 640 });
  await page.goto(`${server.url}/docs/guide/configuration`);
  const beyond = () => document.documentElement.scrollWidth - innerWidth;
  expect(await page.evaluate(beyond)).toBe(0);
  await tru.shot('34-guide-phone');
});

test('by keyboard alone', async ({ page, tru }) => {
  const press = async (key: string, until: string) => {
    const there = () => page.evaluate((s) => document.activeElement?.matches(s) ?? false, until);
    for (let i = 0; i < 60 && !(await there()); i += 1) await page.keyboard.press(key);
    expect(await there()).toBe(true);
  };
  const chooser = page.waitForEvent('filechooser');
  await press('Tab', '[data-testid="video-input"]');
  await page.keyboard.press('Enter');
  await (await chooser).setFiles(sample('arrival.mp4'));
  await page.getByTestId('plan-cost').waitFor();
  await press('Tab', '[data-testid="prompt-input"]');
  await page.keyboard.type('When does the green star appear?');
  // The script that marks times may come after the answer.
  await page.route('**/*.js', async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await route.continue();
  });
  await page.keyboard.press('Control+Enter');
  await tru.answered();
  await tru.answer.getByTestId('time-chip').waitFor();
  await press('Shift+Tab', '[data-testid="time-chip"]');
  await tru.shot('18-keyboard');
  await page.keyboard.press('Enter');
  const player = page.getByTestId('player');
  const place = () => player.evaluate((video: HTMLVideoElement) => video.currentTime);
  await expect.poll(place).toBeGreaterThan(0);
});

const looks = [
  { name: '19-dark', colorScheme: 'dark', viewport: { width: 1280, height: 800 } },
  { name: '20-phone', colorScheme: 'light', viewport: { width: 320, height: 640 } },
  { name: '21-wall', colorScheme: 'light', viewport: { width: 3840, height: 2160 } },
] as const;

for (const { name, colorScheme, viewport } of looks) {
  test(`looks: ${name}`, async ({ page, tru }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.setViewportSize(viewport);
    await tru.shot(`${name}-start`);
    await tru.choose(sample('arrival.mp4'));
    await tru.ask('Describe the video.');
    await tru.answered();
    await page.getByTestId('report').getByRole('button').click();
    await page.getByRole('button', { name: 'All settings' }).click();
    const shown = await page.evaluate(() => ({
      theme: document.documentElement.dataset.theme,
      beyond: document.documentElement.scrollWidth - innerWidth,
    }));
    expect(shown).toEqual({ theme: colorScheme, beyond: 0 });
    await tru.shot(name);
    await tru.accessible();
    await page.getByTestId('open-system').click();
    await expect(page.getByTestId('system')).toContainText('demo');
    await tru.accessible();
    await tru.shot(`${name}-system`);
  });
}

/** The size of a file as it travels to a client that knows gzip. */
function gzipped(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers: { 'Accept-Encoding': 'gzip' } }, (response) => {
      expect(response.headers['content-encoding']).toBe('gzip');
      let bytes = 0;
      response.on('data', (piece: Buffer) => (bytes += piece.length));
      response.on('end', () => resolve(bytes));
    });
    request.on('error', reject);
  });
}

test('light on the wire, quick and still', async ({ page, server }) => {
  const scripts = new Set<string>();
  page.on('response', (response) => {
    if (response.request().resourceType() === 'script') scripts.add(response.url());
  });
  await page.addInitScript(() => {
    const seen = { lcp: 0, cls: 0 };
    Object.assign(window, { seen });
    const watch = (type: string, each: (entry: PerformanceEntry & { value: number }) => void) =>
      new PerformanceObserver((list) => {
        list.getEntries().forEach((entry) => each(entry as PerformanceEntry & { value: number }));
      }).observe({ type, buffered: true });
    watch('largest-contentful-paint', (entry) => (seen.lcp = entry.startTime));
    watch('layout-shift', (entry) => (seen.cls += entry.value));
  });
  await page.goto(server.url);
  await page.getByTestId('settings').waitFor();
  await page.waitForTimeout(2000);
  const seen = await page.evaluate(
    () => (window as unknown as { seen: { lcp: number; cls: number } }).seen,
  );
  let bytes = 0;
  for (const script of scripts) bytes += await gzipped(script);
  console.log(`script ${bytes} bytes, LCP ${seen.lcp} ms, CLS ${seen.cls}`);
  expect(bytes).toBeGreaterThan(0);
  expect(bytes).toBeLessThanOrEqual(200_000);
  expect(seen.cls).toBe(0);
  expect(seen.lcp).toBeLessThanOrEqual(1000);
});

test('the types are what the service declares', ({ server }) => {
  const script = path.join(import.meta.dirname, '../scripts/api_types.mjs');
  execFileSync(process.execPath, [script, server.url, '--check'], { stdio: 'inherit' });
});
