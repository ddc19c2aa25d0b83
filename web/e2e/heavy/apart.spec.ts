import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import { createServer as createSocket, type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { root } from '../server';
import { expect, sample, test, Tru, truth } from '../test';

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

async function freePort(): Promise<number> {
  const socket = createSocket();
  await new Promise<void>((resolve) => socket.listen(0, '127.0.0.1', resolve));
  const { port } = socket.address() as AddressInfo;
  await new Promise((resolve) => socket.close(resolve));
  return port;
}

/** Hands the export out as deploy/web.nginx.conf has nginx do it. */
function handOut(folder: string, port: number): Promise<HttpServer> {
  const policy = readFileSync(path.join(folder, 'csp.txt'), 'utf8').trim();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://x');
    const name = pathname === '/' ? 'index.html' : pathname.slice(1);
    const file = [name, `${name}.html`].map((one) => path.join(folder, one)).find(isFile);
    const shown = file ?? path.join(folder, '404.html');
    const type = types[path.extname(shown)] ?? 'application/octet-stream';
    const headers = { 'Content-Type': type, 'Content-Security-Policy': policy };
    response.writeHead(file ? 200 : 404, headers).end(readFileSync(shown));
  });
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)));
}

const isFile = (file: string) => statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;

/** Builds the page for a service at `api`, and moves it to `folder`. */
function build(api: string, folder: string): void {
  const web = path.join(root, 'web');
  const out = path.join(web, 'out');
  if (existsSync(out)) renameSync(out, `${out}.kept`);
  const env = { ...process.env, NEXT_PUBLIC_API_URL: api, NEXT_TELEMETRY_DISABLED: '1' };
  execFileSync('npm', ['run', 'build'], { cwd: web, env });
  cpSync(out, folder, { recursive: true });
  rmSync(out, { recursive: true });
  if (existsSync(`${out}.kept`)) renameSync(`${out}.kept`, out);
}

test('the page on a host of its own', async ({ page, launch }) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'tru-web-'));
  const [own, service] = [await freePort(), await freePort()];
  const api = `http://127.0.0.1:${service}`;
  build(api, folder);
  const host = await handOut(folder, own);
  const complaints: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));

  await launch({ PORT: String(service), CORS_ORIGINS: `http://127.0.0.1:${own}` });
  const tru = new Tru(page);
  const question = 'Which way does the red circle move?';
  await tru.open(`http://127.0.0.1:${own}`);
  await tru.choose(sample('passing.mp4'));
  await expect(page.getByTestId('plan-strip').locator('img').first()).toHaveAttribute('src', /./);
  await tru.ask(question);
  expect(await tru.answered()).toBe(truth('passing.mp4', question));
  await tru.shot('31-apart');
  expect(complaints).toEqual([]);

  await page.goto(`http://127.0.0.1:${own}/nothing`);
  await expect(page.getByText('There is no such page.')).toBeVisible();
  await tru.shot('28-no-page');
  await tru.accessible();
  host.close();
  rmSync(folder, { recursive: true });
});
