/**
 * How a caller and a replica find out that they were built with different contracts.
 *
 * Each call carries the fingerprint of its method. A replica that knows the method by another one answers with its own
 * contract before any work, and the caller decides: if each side understands what the other may send, it repeats the
 * call with the replica's fingerprint; if not, the call fails and says what differs. So contracts that are equal cost a
 * header, and compatible ones a round trip once.
 */
import { Effect, Option } from "effect"
import * as ServiceError from "../ServiceError.ts"
import type { Definition } from "./contract.ts"
import { describeMethod } from "./contractDescription.ts"
import { compare } from "./contractDifference.ts"
import * as Shape from "./contractShape.ts"

interface Described {
  readonly contract: Shape.MethodContract
  readonly fingerprint: string
}

const known = new WeakMap<Definition, Described>()

const describe = (method: Definition): Described => {
  const before = known.get(method)
  if (before !== undefined) return before
  const contract = describeMethod(method)
  const described = { contract, fingerprint: Shape.fingerprint(contract) }
  known.set(method, described)
  return described
}

const tag = "chorale/ContractDiffers"

/** What a replica fails a call with whose caller has another contract. */
export interface Differs {
  readonly _tag: typeof tag
  readonly contract: unknown
}

/** Whether a call failed because the contracts differ. */
export const isDiffers = (error: unknown): error is Differs =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === tag && "contract" in error

/** The replica's side: what is wrong with the fingerprint of a call, if anything is. A caller may send none. */
export const makeReplica = (method: Definition) => {
  const { contract, fingerprint } = describe(method)
  const differs: Differs = { _tag: tag, contract }
  return (sent: string | undefined): Differs | undefined =>
    sent === undefined || sent === fingerprint ? undefined : differs
}

/** The caller's side: the fingerprint to send, and what follows from the contract of a replica that has another. */
export const makeCaller = (method: Definition) => {
  const own = describe(method)
  let agreed = own.fingerprint
  return {
    fingerprint: () => agreed,
    /** Succeeds when the call can be repeated with the fingerprint of the replica. */
    agree: (differs: Differs): Effect.Effect<void, ServiceError.ContractMismatch> =>
      Effect.suspend(() => {
        const theirs = Option.getOrUndefined(Shape.parse(differs.contract))
        const detail = theirs === undefined
          ? "the replica has another contract, and described it in a way that is not understood"
          : compare(own.contract, theirs)
        if (theirs === undefined || detail !== undefined) {
          return Effect.fail(new ServiceError.ContractMismatch({ detail: detail ?? "" }))
        }
        agreed = Shape.fingerprint(theirs)
        return Effect.void
      })
  }
}
