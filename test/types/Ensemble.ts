import { Ensemble, type Tensor } from "chorale"
import { Effect, type Exit, type Result, Schema, type Scope } from "effect"
import type { Equal, Expect } from "./Equal.ts"

class Blurred extends Schema.TaggedError<Blurred>()("Blurred", {}) {}
class Down extends Schema.TaggedError<Down>()("Down", {}) {}
class Database {
  readonly connected = true
}

declare const north: Effect.Effect<number, Blurred, Database>
declare const south: Effect.Effect<string, Down>
declare const sure: Effect.Effect<boolean>
declare const vector: Effect.Effect<Tensor.Tensor<"float32", 1>, Down>

const all = Ensemble.all({ north, south, sure })
export type AllAnswersByName = Expect<
  Equal<
    typeof all,
    Effect.Effect<
      { readonly north: number; readonly south: string; readonly sure: boolean },
      Blurred | Down,
      Database
    >
  >
>

const settled = Ensemble.settled({ north, south })
export type SettledHasAnExitOfEachAndNeverFails = Expect<
  Equal<
    typeof settled,
    Effect.Effect<
      { readonly north: Exit.Exit<number, Blurred>; readonly south: Exit.Exit<string, Down> },
      never,
      Database
    >
  >
>

const quorum = Ensemble.quorum({ north, south }, { count: 2 })
export type AQuorumKnowsItsMembersAndItsFailureTheirOutcomes = Expect<
  Equal<
    typeof quorum,
    Effect.Effect<
      Ensemble.Agreement<string | number, "north" | "south">,
      Ensemble.NoQuorum<
        { readonly north?: Result.Result<number, Blurred>; readonly south?: Result.Result<string, Down> }
      >,
      Database
    >
  >
>

const vote = Ensemble.vote({ south, north }, { tie: (tied) => tied.length > 2 ? new Down() : Effect.succeed(tied[0]) })
export type ATieHasItsOwnError = Expect<
  Equal<
    Effect.Error<typeof vote>,
    | Down
    | Ensemble.NoQuorum<{
      readonly south?: Result.Result<string, Down>
      readonly north?: Result.Result<number, Blurred>
    }>
  >
>
export type AVoteIsWhatAMemberAnswers = Expect<
  Equal<Effect.Success<typeof vote>, Ensemble.Vote<string | number, "north" | "south">>
>

const first = Ensemble.first({ north, south })
export type FirstHasTheErrorOfEach = Expect<
  Equal<
    typeof first,
    Effect.Effect<string | number, Ensemble.AllFailed<{ readonly north: Blurred; readonly south: Down }>, Database>
  >
>

const safe = Ensemble.first({ south, sure })
export type FirstCannotFailWhenOneOfThemCannot = Expect<Equal<typeof safe, Effect.Effect<string | boolean>>>

const numbers = Ensemble.mean({ north, also: Effect.succeed(1) })
export type TheMeanOfNumbersIsANumber = Expect<Equal<typeof numbers, Effect.Effect<number, Blurred, Database>>>

const tensors = Ensemble.weightedMean({ vector, again: vector }, { vector: 1, again: 2 })
export type TheMeanOfTensorsIsSuchATensor = Expect<
  Equal<typeof tensors, Effect.Effect<Tensor.Tensor<"float32", 1>, Down | Ensemble.TensorMismatch>>
>

const stacked = Ensemble.stack({ north, south }, ({ north, south }) => Effect.succeed([north, south] as const))
export type TheFinalModelSeesTheAnswersByName = Expect<
  Equal<typeof stacked, Effect.Effect<readonly [number, string], Blurred | Down, Database>>
>

const fallback = Ensemble.fallback([north, south])
export type AFallbackRemovesTheErrorsOfTheStepsBefore = Expect<
  Equal<typeof fallback, Effect.Effect<string | number, Down, Database>>
>

const total = Ensemble.fallback([north, south, sure])
export type AFallbackToWhatCannotFailCannotFail = Expect<
  Equal<typeof total, Effect.Effect<string | number | boolean, never, Database>>
>

declare const either: Effect.Effect<number, Blurred | Down>
const chosen = Ensemble.fallback([either, sure], (error) => error._tag === "Down")
export type AFallbackForSomeErrorsKeepsTheOthers = Expect<
  Equal<typeof chosen, Effect.Effect<number | boolean, Blurred>>
>

const cascade = Ensemble.cascade({ north, also: Effect.succeed(1) }, { confidence: (answer) => answer, atLeast: 0.5 })
export type ACascadeMayFailWithAnyOfItsModels = Expect<Equal<typeof cascade, Effect.Effect<number, Blurred, Database>>>

declare const script: "latin" | "greek"
const switched = Ensemble.switchBy(script, { latin: north, greek: south })
export type ASwitchIsAnyOfItsCases = Expect<
  Equal<typeof switched, Effect.Effect<string | number, Blurred | Down, Database>>
>

declare const language: string
const open = Ensemble.switchBy(language, { en: south }, (language) => Effect.fail({ language }))
export type ASwitchMayHaveAnotherwise = Expect<
  Equal<typeof open, Effect.Effect<string, Down | { language: string }>>
>

const split = Ensemble.split({ north, south }, { weights: { north: 1, south: 2 } })
export type ASplitIsAnyOfItsMembers = Expect<
  Equal<typeof split, Effect.Effect<string | number, Blurred | Down, Database>>
>

const hedged = north.pipe(Ensemble.hedge({ after: "1 second" }))
export type AHedgeChangesNoType = Expect<Equal<typeof hedged, typeof north>>

declare const scoped: Effect.Effect<string, Down, Scope.Scope | Database>
const mirrored = Effect.flatMap(Ensemble.makeMirror({ concurrency: 1 }), (mirror) => mirror.run(sure, scoped))
export type AMirrorAddsNoErrorAndGivesTheShadowItsScope = Expect<
  Equal<typeof mirrored, Effect.Effect<boolean, never, Scope.Scope | Database>>
>
