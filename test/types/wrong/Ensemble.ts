import { Ensemble, type Tensor } from "chorale"
import { Effect } from "effect"

declare const north: Effect.Effect<number, "blurred">
declare const south: Effect.Effect<string, "down">
declare const script: "latin" | "greek"
declare const language: string
declare const vector: Effect.Effect<Tensor.Tensor<"int64", 1>>

// A case that is missing is named.
// error: Property 'greek' is missing in type '{ latin:
Ensemble.switchBy(script, { latin: north })

// So is a case that no value has.
// error: 'Effect<string, "down", never>' is not assignable to type 'never'
Ensemble.switchBy(script, { latin: north, greek: south, runic: south })

// A value of which nothing is known needs what is done otherwise.
// error: a string of any value needs `otherwise`
Ensemble.switchBy(language, { latin: north })

// An ensemble has members.
// error: an ensemble needs at least one member
Ensemble.first({})

// A weight for every member, and for nobody else.
// error: Property 'south' is missing in type '{ north: number; }'
Ensemble.vote({ north, south }, { weights: { north: 1 } })

// error: 'east' does not exist in type
Ensemble.split({ north, south }, { weights: { north: 1, south: 1, east: 1 } })

// Only numbers and tensors of floating-point numbers have a mean.
// error: Type 'string' is not assignable to type
Ensemble.mean({ south })

// error: Type '"int64"' is not assignable to type '"float32" | "float64"'
Ensemble.mean({ vector })

// The last step of a fallback may still fail.
// error: Type '"down"' is not assignable to type 'never'
export const answer: Effect.Effect<string | number> = Ensemble.fallback([north, south])

// What did not end has no outcome.
// error: is possibly 'undefined'
Effect.mapError(Ensemble.quorum({ north, south }, { count: 2 }), (error) => error.outcomes.north._tag)
