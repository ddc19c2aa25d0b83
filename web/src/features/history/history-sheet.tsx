'use client';

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Button, IconButton } from '@/components/button';
import { Sheet } from '@/components/sheet';
import { clearHistory, forget, listHistory, type Entry } from '@/lib/history';
import { ui } from '@/lib/strings/ui';

interface Props {
  open: boolean;
  onClose: () => void;
  onOpen: (entry: Entry) => void;
  /** The questions go with the conversations. */
  onClear: () => void;
}

export function HistorySheet({ open, onClose, onOpen, onClear }: Props) {
  const [sure, setSure] = useState(false);
  const queries = useQueryClient();
  const { data: entries = [] } = useQuery({
    queryKey: ['history'],
    queryFn: listHistory,
    enabled: open,
    staleTime: 0,
  });
  const change = async (work: Promise<void>) => {
    await work;
    await queries.invalidateQueries({ queryKey: ['history'] });
  };
  return (
    <Sheet title={ui.history.label} open={open} onClose={onClose} testId="history">
      {entries.length === 0 ? (
        <p className="text-soft">{ui.history.empty}</p>
      ) : (
        <>
          <ul className="space-y-1">
            {entries.map((entry) => (
              <Row
                key={entry.id}
                entry={entry}
                onOpen={() => onOpen(entry)}
                onForget={() => void change(forget(entry.id))}
              />
            ))}
          </ul>
          <div className="mt-6 flex flex-wrap items-center gap-2">
            {sure ? (
              <>
                <span className="text-sm">{ui.history.clearSure}</span>
                <Button
                  onClick={() => {
                    setSure(false);
                    onClear();
                    void change(clearHistory());
                  }}
                >
                  {ui.history.clearYes}
                </Button>
                <Button kind="quiet" onClick={() => setSure(false)}>
                  {ui.history.keep}
                </Button>
              </>
            ) : (
              <Button icon="trash" onClick={() => setSure(true)}>
                {ui.history.clear}
              </Button>
            )}
          </div>
          <p className="mt-3 text-sm text-soft">{ui.history.local}</p>
        </>
      )}
    </Sheet>
  );
}

function Row({
  entry,
  onOpen,
  onForget,
}: {
  entry: Entry;
  onOpen: () => void;
  onForget: () => void;
}) {
  const when = new Date(entry.at).toLocaleString('en-GB', {
    dateStyle: 'medium',
    timeStyle: 'short',
  });
  return (
    <li className="flex items-center gap-1 rounded-xl hover:bg-sunk">
      <button type="button" onClick={onOpen} className="min-w-0 flex-1 px-3 py-2 text-left">
        <span className="block truncate font-medium">{entry.title}</span>
        <span className="block truncate text-sm text-soft">
          {[...entry.videos, when].join(' · ')}
        </span>
      </button>
      <IconButton icon="close" label={ui.history.remove(entry.title)} onClick={onForget} />
    </li>
  );
}
