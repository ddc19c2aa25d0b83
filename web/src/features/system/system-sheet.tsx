'use client';

import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from '@/components/button';
import { Sheet } from '@/components/sheet';
import { accessKey, apiBase } from '@/lib/api/client';
import type { Health } from '@/lib/api/types';
import { ui } from '@/lib/strings/ui';
import { systemRows } from './rows';

interface Props {
  open: boolean;
  onClose: () => void;
  health: Health | undefined;
}

export function SystemSheet({ open, onClose, health }: Props) {
  return (
    <Sheet title={ui.system.label} open={open} onClose={onClose} testId="system">
      <div className="space-y-6">
        {health ? (
          <dl className="space-y-2.5 text-sm">
            {systemRows(health).map(([name, value]) => (
              <div key={name}>
                <dt className="text-soft">{name}</dt>
                <dd className="wrap-anywhere">{value}</dd>
              </div>
            ))}
          </dl>
        ) : (
          <p className="text-soft">{ui.down}</p>
        )}
        <p className="flex gap-6 text-sm">
          <a className="text-brand underline" href="/docs/guide">
            {ui.system.guide}
          </a>
          <a className="text-brand underline" href={`${apiBase}/docs`}>
            {ui.system.api}
          </a>
        </p>
        <KeyField />
      </div>
    </Sheet>
  );
}

function KeyField() {
  const [key, setKey] = useState(() => accessKey.get());
  const [saved, setSaved] = useState(false);
  const queries = useQueryClient();
  return (
    <form
      className="space-y-1.5"
      onSubmit={(event) => {
        event.preventDefault();
        accessKey.set(key.trim());
        setSaved(true);
        void queries.invalidateQueries();
      }}
    >
      <label htmlFor="access-key" className="block text-sm font-semibold">
        {ui.system.key}
      </label>
      <div className="flex gap-2">
        <input
          id="access-key"
          type="password"
          autoComplete="off"
          aria-describedby="access-key-help"
          value={key}
          onChange={(event) => {
            setKey(event.target.value);
            setSaved(false);
          }}
          className="min-h-9 min-w-0 flex-1 rounded-lg border border-edge bg-card px-2.5 text-sm"
        />
        <Button type="submit" icon={saved ? 'check' : undefined}>
          {saved ? ui.system.keySaved : ui.system.keySave}
        </Button>
      </div>
      <p id="access-key-help" className="text-sm text-soft">
        {ui.system.keyHelp}
      </p>
    </form>
  );
}
