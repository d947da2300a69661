import { type Answer } from '../answer.ts';
import { type AnswerError } from '../errors.ts';
import { loginKey, type Login } from './login.ts';

/** What a request needs: the scopes of the token specification (`repository:app:pull`), and the repository that decides on the credential. */
export interface Need {
  readonly scopes: readonly string[];
  readonly repository: string | undefined;
}

/** A request that waits for its `Authorization`. */
export interface Outgoing {
  readonly need: Need;
  /** Completes "Cannot …". */
  readonly action: string;
  /** Whether its body flows: it takes long then, and its token has to last. */
  readonly streams: boolean;
  send(authorization: string | undefined): Promise<Answer>;
  /** The error that an answer tells; reads its body. */
  failure(answer: Answer): Promise<AnswerError>;
  /** The challenges of the registry as a whole, for answers that have none of their own. */
  ping(): Promise<readonly string[]>;
}

export function keyOf(need: Need): string {
  return [need.repository ?? '', ...need.scopes].join(' ');
}

/** What is refused when somebody may not do one thing; for comparing alone, for it holds a secret. */
export function rightOf(need: Need, login: Login | undefined): string {
  return `${keyOf(need)} ${loginKey(login)}`;
}
