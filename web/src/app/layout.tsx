import type { Metadata, Viewport } from 'next';
import type { ReactNode } from 'react';
import { ui } from '@/lib/strings/ui';
import { themeScript } from '@/lib/theme-script';
import './globals.css';

export const metadata: Metadata = {
  title: ui.title,
  description: ui.summary,
  // The form that is sent without scripts must say where it comes from.
  referrer: 'strict-origin',
};

export const viewport: Viewport = {
  themeColor: [
    { media: '(prefers-color-scheme: light)', color: '#f8f8f6' },
    { media: '(prefers-color-scheme: dark)', color: '#101215' },
  ],
};

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en" suppressHydrationWarning>
      <head>
        <script dangerouslySetInnerHTML={{ __html: themeScript }} />
      </head>
      <body className="min-h-dvh font-sans antialiased">{children}</body>
    </html>
  );
}
