'use client';

import * as Collapsible from '@radix-ui/react-collapsible';
import type { ReactNode } from 'react';
import { Icon } from './icon';

interface Props {
  label: string;
  children: ReactNode;
  className?: string;
  testId?: string;
}

/** Something that can be unfolded. */
export function Fold({ label, children, className = '', testId }: Props) {
  return (
    <Collapsible.Root className={className} data-testid={testId}>
      <Collapsible.Trigger
        className={`group flex min-h-9 items-center gap-1.5 rounded-lg text-sm
        font-medium text-soft hover:text-ink`}
      >
        <Icon
          name="down"
          className="size-4 transition-transform group-data-[state=open]:rotate-180"
        />
        {label}
      </Collapsible.Trigger>
      <Collapsible.Content>{children}</Collapsible.Content>
    </Collapsible.Root>
  );
}
