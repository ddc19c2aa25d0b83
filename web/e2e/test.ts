import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { expect, test as base, type Page } from '@playwright/test';
import { root, sample, Server, truth } from './server';

export { expect, sample, truth };

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core'), 'utf8');

/** What a person does with the page, and what is the same in every test. */
export class Tru {
  constructor(readonly page: Page) {}

  get answer() {
    return this.page.getByTestId('answer').last();
  }

  async open(url: string): Promise<void> {
    await this.page.goto(url);
    await this.page.getByTestId('settings').waitFor(); // the script runs
  }

  async choose(...files: string[]): Promise<void> {
    await this.page.getByTestId('video-input').setInputFiles(files);
    await this.page.getByTestId('plan-cost').waitFor();
  }

  async ask(question: string): Promise<void> {
    await this.page.getByTestId('prompt-input').fill(question);
    await this.page.getByTestId('ask').click();
  }

  async answered(): Promise<string> {
    await expect(this.answer).toHaveAttribute('data-state', 'done');
    return this.answer.innerText();
  }

  async shot(name: string): Promise<void> {
    const file = path.join(root, 'build/reports/e2e', `${name}.png`);
    await this.page.screenshot({ path: file, fullPage: true });
  }

  /** No offence against WCAG 2.2 AA that axe can see, be it light or dark. */
  async accessible(): Promise<void> {
    await this.page.evaluate(axeSource);
    const found = await this.page.evaluate(async () => {
      const { axe } = window as unknown as { axe: typeof import('axe-core') };
      const { dataset } = document.documentElement;
      const before = dataset.theme;
      const offences: string[] = [];
      for (const theme of ['light', 'dark']) {
        dataset.theme = theme;
        await new Promise((resolve) => setTimeout(resolve, 300)); // colours change softly
        const { violations } = await axe.run();
        for (const { id, nodes } of violations) {
          offences.push(`${theme} ${id}: ${nodes.map((node) => node.html).join(' ')}`);
        }
      }
      if (before) dataset.theme = before;
      else delete dataset.theme;
      return offences;
    });
    expect(found).toEqual([]);
  }
}

interface Fixtures {
  tru: Tru;
  /** Starts a service with settings of its own, which ends with the test. */
  launch: (env?: Record<string, string>) => Promise<Server>;
}

interface WorkerFixtures {
  server: Server;
}

export const test = base.extend<Fixtures, WorkerFixtures>({
  server: [
    async ({}, use) => {
      const server = new Server();
      await server.start();
      await use(server);
      await server.stop();
    },
    { scope: 'worker', timeout: 120_000 },
  ],
  launch: async ({}, use) => {
    const servers: Server[] = [];
    await use(async (env) => {
      const server = new Server(env);
      servers.push(server);
      await server.start();
      return server;
    });
    for (const server of servers) await server.stop();
  },
  // What the browser itself complains about is an offence: the policy, other hosts, exceptions.
  tru: async ({ page, server }, use) => {
    const complaints: string[] = [];
    const own = new URL(server.url).origin;
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      const expected = message.text().startsWith('Failed to load resource'); // 4xx and 5xx
      if (message.type() === 'error' && !expected) complaints.push(message.text());
    });
    page.on('request', (request) => {
      const url = request.url();
      const ours = url.startsWith(own) || url.startsWith(`blob:${own}`) || url.startsWith('data:');
      if (!ours) complaints.push(`asked ${url}`);
    });
    const tru = new Tru(page);
    await tru.open(server.url);
    await use(tru);
    expect(complaints).toEqual([]);
  },
});
