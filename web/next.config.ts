import type { NextConfig } from 'next';

// A static export: `tru serve` hands the files out itself, so nothing of Next runs at run time.
const config: NextConfig = {
  output: 'export',
  reactStrictMode: true,
  poweredByHeader: false,
  devIndicators: false,
  // `npm run types` checks them; a person who only builds need not wait for it.
  typescript: { ignoreBuildErrors: true },
  // The root of the whole repository must not be taken for this project's.
  turbopack: { root: import.meta.dirname },
};

export default config;
