import { silent } from '../../src/core/events.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { changeCredentialFile } from '../../src/stores/registry/auth/credentialFile.ts';
import { setMember } from '../../src/stores/registry/auth/jsonEdit.ts';

// Stores one login after the other in the file that is named, until it is killed.
const [file = ''] = process.argv.slice(2);
for (let i = 0; ; i++) {
  await changeCredentialFile(file, { clock: systemClock, emit: silent }, (text) =>
    setMember(text, ['auths', `h${i % 50}.example`], { username: 'me', password: 'x'.repeat(20_000) }),
  );
  if (i === 3) process.stdout.write('at work\n');
}
