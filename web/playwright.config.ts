import { defineConfig } from '@playwright/test';

// Against the real program, one browser at a time: the model needs the processor too.
export default defineConfig({
  testDir: 'e2e',
  outputDir: '../build/e2e',
  workers: 1,
  timeout: 600_000,
  expect: { timeout: 90_000 },
  reporter: [['list'], ['junit', { outputFile: '../build/reports/e2e/playwright.xml' }]],
  use: {
    viewport: { width: 1280, height: 800 },
    launchOptions: {
      executablePath: '/usr/bin/chromium',
      // Chromium's own sandbox needs rights that root in a container has not.
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    },
  },
});
