import { Providers } from './providers';
import { Workspace } from './workspace';

export default function Page() {
  return (
    <Providers>
      <Workspace />
    </Providers>
  );
}
