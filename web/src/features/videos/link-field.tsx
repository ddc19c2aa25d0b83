import { Button } from '@/components/button';
import { ui } from '@/lib/strings/ui';

interface Props {
  value: string;
  onChange: (value: string) => void;
  onAdd: () => void;
}

export function LinkField({ value, onChange, onAdd }: Props) {
  return (
    <div className="flex gap-2 noscript:hidden">
      <input
        type="url"
        data-testid="url-input"
        aria-label={ui.zone.url}
        placeholder={ui.zone.urlHint}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || event.ctrlKey || event.metaKey) return;
          event.preventDefault();
          onAdd();
        }}
        className={`min-h-10 min-w-0 flex-1 rounded-lg border border-edge bg-card px-3 text-sm
          placeholder:text-soft`}
      />
      <Button icon="link" disabled={value.trim() === ''} onClick={onAdd}>
        {ui.zone.addUrl}
      </Button>
    </div>
  );
}
