import { defineConfig } from '@playwright/test';

// Against the real program, one browser at a time: the model needs the processor too. What takes
// longer is in the project `heavy`.
const report = process.env.REPORT ?? '../build/reports/e2e/playwright.xml';

export default defineConfig({
  projects: [
    { name: 'page', testDir: 'e2e', testIgnore: 'heavy/**' },
    { name: 'heavy', testDir: 'e2e/heavy' },
  ],
  outputDir: '../build/e2e',
  workers: 1,
  timeout: 600_000,
  expect: { timeout: 90_000 },
  reporter: [['list'], ['junit', { outputFile: report }]],
  use: {
    viewport: { width: 1280, height: 800 },
    launchOptions: {
      executablePath: '/usr/bin/chromium',
      // Chromium's own sandbox needs rights that root in a container has not.
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    },
  },
});
