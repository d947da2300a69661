import { type ErrorCode } from '../../../core/errors.ts';
import { printable } from '../../../core/redact.ts';
import { type Challenge } from './challenge.ts';
import { AnswerError } from '../errors.ts';
import { loginHint } from '../hints.ts';
import { secretOf, type Login } from './login.ts';

export interface Circumstances {
  /** As people name it. */
  readonly registry: string;
  readonly login: Login | undefined;
  /** Of the answer that the error tells. */
  readonly challenges: readonly Challenge[];
  /** Whether the registry asks for logins at all. */
  readonly asksLogin: boolean;
}

/**
 * A refusal in the words of the person who asked: as whom the registry was asked, where that login came from, and what to type. Registries
 * answer alike for what is private and for what is not there (`insufficient_scope`, `DENIED`), and that is said. Other errors stay as they are.
 */
export function explain(error: AnswerError, about: Circumstances): AnswerError {
  const { status } = error;
  if (status === 404) return explainAbsence(error, about);
  if (status !== 401 && status !== 403 && error.code !== 'OCL_UNAUTHORIZED') return error;
  const { registry, login } = about;
  const limited = status === 403 || isLimited(error, about.challenges);
  if (login === undefined) {
    const why = limited ? 'without a login; it may be private, or not there' : 'without a login';
    return changed(error, error.code, `${error.message}, asked ${why}`, error.hint ?? `ocl login ${registry}`);
  }
  const message = `${withoutSecret(error.message, login)}, asked ${nameOf(login)}`;
  const usual = loginHint({ host: registry, status: 401 });
  const hint = (error.hint ?? usual).replace(usual, () => remedyFor(login) ?? usual);
  if (!limited) return changed(error, error.code, message, hint);
  return changed(
    error,
    error.code === 'OCL_UNAUTHORIZED' ? 'OCL_DENIED' : error.code,
    `${message}, which may not do this, or it is not there`,
    hint,
  );
}

/** To strangers some registries deny that a private repository is there. */
function explainAbsence(error: AnswerError, { registry, login, asksLogin }: Circumstances): AnswerError {
  if (!error.codes.includes('NAME_UNKNOWN')) return error;
  const hint =
    login === undefined && asksLogin
      ? `ocl login ${registry}, if it is private`
      : `check the name; ocl ls ${registry} lists the repositories, where the registry tells them`;
  return changed(error, error.code, error.message, error.hint ?? hint);
}

/** What is given to a run goes before what `ocl login` keeps, so that a new login would change nothing. */
export function remedyFor({ source }: Pick<Login, 'source'>): string | undefined {
  if (source?.kind !== 'settings' && source?.kind !== 'environment') return undefined;
  return `correct the login in ${printable(source.where)}: it goes before those that ocl login keeps`;
}

/** The login is good, and does not reach far enough. */
function isLimited(error: AnswerError, challenges: readonly Challenge[]): boolean {
  return (
    error.codes.includes('DENIED') || challenges.some(({ params }) => params.get('error') === 'insufficient_scope')
  );
}

function nameOf({ credential, source }: Login): string {
  const account = credential.kind === 'bearer' ? undefined : credential.username;
  const name = account === undefined ? 'with a token' : `as ${JSON.stringify(printable(account.slice(0, 100)))}`;
  return source === undefined ? name : `${name} from ${printable(source.where)}`;
}

/** A server may repeat what it was sent. */
function withoutSecret(message: string, login: Login): string {
  const secret = secretOf(login);
  return secret === '' ? message : message.replaceAll(secret, '***');
}

function changed(error: AnswerError, code: ErrorCode, message: string, hint: string | undefined): AnswerError {
  return new AnswerError(code, message, { hint, status: error.status, codes: error.codes });
}
