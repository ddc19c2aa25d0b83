'use client';

import { useId, useState } from 'react';
import { Button } from '@/components/button';
import { Fold } from '@/components/fold';
import { defaultParams, type Params } from '@/lib/session/types';
import { ui } from '@/lib/strings/ui';

type Field = keyof typeof ui.params.fields;

/** What the service takes; the page keeps people from asking for what it would refuse. */
const bounds: Record<Field, { min: number; max: number; step: number | 'any' }> = {
  fps: { min: 0.05, max: 60, step: 'any' },
  num_frames: { min: 1, max: 2048, step: 1 },
  max_frames: { min: 1, max: 2048, step: 1 },
  min_pixels: { min: 1, max: 16_777_216, step: 1 },
  max_pixels: { min: 4096, max: 16_777_216, step: 1 },
  total_pixels: { min: 4096, max: 2_147_483_647, step: 1 },
  temperature: { min: 0, max: 2, step: 'any' },
  top_p: { min: 0, max: 1, step: 'any' },
  top_k: { min: 0, max: 100_000, step: 1 },
  max_tokens: { min: 1, max: 32_768, step: 1 },
  seed: { min: 0, max: 2_147_483_647, step: 1 },
  timeoutMin: { min: 1, max: 600, step: 'any' },
};
const seeing: Field[] = [
  'fps',
  'num_frames',
  'max_frames',
  'total_pixels',
  'min_pixels',
  'max_pixels',
];
const answering: Field[] = ['temperature', 'top_p', 'top_k', 'max_tokens', 'seed', 'timeoutMin'];

interface Props {
  params: Params;
  onChange: (change: Partial<Params>) => void;
}

/** Every raw value, folded away; empty fields follow the preset and the server's settings. */
export function ParameterDrawer({ params, onChange }: Props) {
  return (
    <Fold label={ui.params.more} testId="settings">
      <div className="space-y-4 rounded-xl border border-line p-4">
        <Group title={ui.params.seeing} fields={seeing} params={params} onChange={onChange} />
        <Group title={ui.params.answering} fields={answering} params={params} onChange={onChange} />
        <Button icon="retry" onClick={() => onChange({ ...defaultParams, trim: params.trim })}>
          {ui.params.reset}
        </Button>
      </div>
    </Fold>
  );
}

function Group({ title, fields, params, onChange }: Props & { title: string; fields: Field[] }) {
  return (
    <fieldset>
      <legend className="mb-2 text-sm font-semibold">{title}</legend>
      <div className="grid gap-3 sm:grid-cols-2">
        {fields.map((field) => (
          <NumberField
            key={field}
            field={field}
            value={params[field]}
            onChange={(value) => onChange(change(field, value))}
          />
        ))}
      </div>
    </fieldset>
  );
}

function change(field: Field, value: number | null): Partial<Params> {
  if (field === 'timeoutMin') return { timeoutMin: value ?? defaultParams.timeoutMin };
  if (value !== null && field === 'fps') return { fps: value, num_frames: null };
  if (value !== null && field === 'num_frames') return { num_frames: value, fps: null };
  return { [field]: value };
}

function NumberField({
  field,
  value,
  onChange,
}: {
  field: Field;
  value: number | null;
  onChange: (value: number | null) => void;
}) {
  const id = useId();
  const [typed, setTyped] = useState<string | null>(null); // while the field has the focus
  const { name, help } = ui.params.fields[field];
  const { min, max, step } = bounds[field];
  const within = (text: string) => text === '' || (Number(text) >= min && Number(text) <= max);
  return (
    <div>
      <label htmlFor={id} className="block text-sm">
        {name}
      </label>
      <input
        id={id}
        type="number"
        inputMode="decimal"
        aria-describedby={`${id}-help`}
        placeholder={ui.params.unset}
        min={min}
        max={max}
        step={step}
        value={typed ?? value ?? ''}
        aria-invalid={typed !== null && !within(typed)}
        onChange={(event) => {
          const text = event.target.value;
          setTyped(text);
          if (within(text)) onChange(text === '' ? null : Number(text));
        }}
        onBlur={() => setTyped(null)}
        className={`mt-1 min-h-9 w-full rounded-lg border border-edge bg-card px-2.5 text-sm
          placeholder:text-soft aria-invalid:border-bad`}
      />
      <p id={`${id}-help`} className="mt-0.5 text-xs text-soft">
        {help}
      </p>
    </div>
  );
}
