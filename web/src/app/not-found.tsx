import { ui } from '@/lib/strings/ui';

export default function NotFound() {
  return (
    <main className="mx-auto max-w-xl px-6 py-24 text-center">
      <h1 className="text-2xl font-semibold">{ui.notFound}</h1>
      {/* A whole new page: this one may have come from another address. */}
      <a className="mt-4 inline-block text-brand underline" href="/">
        {ui.home}
      </a>
    </main>
  );
}
