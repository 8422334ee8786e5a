/**
 * The context in which a handler runs.
 *
 * A handler sees the services of its own layer and, of its caller, only what a
 * call carries over any distance. So a call means the same wherever it runs.
 */
import { Context, References, Tracer } from "effect"
import * as Deadline from "../Deadline.ts"

type Carry = (caller: Context.Context<never>, context: Context.Context<never>) => Context.Context<never>

const carry = <I, S>(key: Context.Key<I, S>): Carry => (caller, context) => {
  const value = Context.getOrUndefined(caller, key)
  return value === undefined || value === Context.getOrUndefined(context, key)
    ? context
    : Context.add(context, key, value)
}

const carried: ReadonlyArray<Carry> = [
  carry(Deadline.Current),
  carry(Tracer.ParentSpan),
  carry(Tracer.Tracer),
  carry(References.TracerEnabled),
  carry(References.TracerTimingEnabled)
]

/** What a layer is built with, without the trace and the deadline of the call that has it built, if one has. */
export const ofLayer: (context: Context.Context<never>) => Context.Context<never> = Context.omit(
  Tracer.ParentSpan,
  Deadline.Current
)

/** The services of a layer, with what the fiber that calls it carries. */
export const make = (services: Context.Context<never>) => (caller: Context.Context<never>): Context.Context<never> => {
  let context = services
  for (const carry of carried) context = carry(caller, context)
  return context
}
