/**
 * One of several models, by a value.
 *
 * @since 0.2.0
 */
import { Effect } from "effect"

/**
 * A value that an ensemble can be switched by; its cases are named as it is written.
 *
 * @category models
 * @since 0.2.0
 */
export type Switch = string | number | boolean

/**
 * An effect for each value, and for nothing else.
 *
 * @category utility types
 * @since 0.2.0
 */
export type Cases<V extends Switch, C> =
  & { readonly [K in `${V}`]: AnyEffect }
  & { readonly [K in Exclude<keyof C, `${V}`>]: never }

/**
 * An effect for some of the values, and for nothing else.
 *
 * @category utility types
 * @since 0.2.0
 */
export type SomeCases<V extends Switch, C> =
  & { readonly [K in `${V}`]?: AnyEffect }
  & { readonly [K in Exclude<keyof C, `${V}`>]: never }

/**
 * Runs the one effect whose name is the value.
 *
 * Without `otherwise` every value must have its case, which the compiler checks: the type of the value is a union of
 * literals. With it, cases may be left out, and the value may be any string or number.
 *
 * **Example** (A recognizer for each script)
 *
 * ```ts
 * import { Ensemble } from "chorale"
 * import { Effect } from "effect"
 *
 * declare const script: "latin" | "greek"
 * declare const latin: Effect.Effect<string>
 * declare const greek: Effect.Effect<string>
 * declare const language: string
 *
 * export const text = Ensemble.switchBy(script, { latin, greek })
 *
 * export const translated = Ensemble.switchBy(language, { de: latin, el: greek }, (language) =>
 *   Effect.succeed(`nobody here reads ${language}`))
 * ```
 *
 * @category combinators
 * @since 0.2.0
 */
export const switchBy: {
  <const V extends Switch, const C extends Cases<V, C>>(
    value: V & IsLiteral<V>,
    cases: C
  ): Effect.Effect<Effect.Success<C[keyof C]>, Effect.Error<C[keyof C]>, Effect.Services<C[keyof C]>>
  <const V extends Switch, const C extends SomeCases<V, C>, B, E, R>(
    value: V,
    cases: C,
    otherwise: (value: V) => Effect.Effect<B, E, R>
  ): Effect.Effect<
    Effect.Success<C[keyof C]> | B,
    Effect.Error<C[keyof C]> | E,
    Effect.Services<C[keyof C]> | R
  >
} = (
  value: Switch,
  cases: Readonly<Record<string, AnyEffect>>,
  otherwise: (value: never) => AnyEffect = missing
) =>
  // Which of the cases it is cannot be known here; the overloads state what all of them have in common.
  Effect.suspend(() =>
    (Object.hasOwn(cases, `${value}`) ? cases[`${value}`] : undefined) ?? otherwise(value as never)
  ) as Effect.Effect<never, never, never>

/** Refuses a value of which the compiler does not know what it can be. */
type IsLiteral<V> = string extends V ? "a string of any value needs `otherwise`"
  : number extends V ? "a number of any value needs `otherwise`"
  : unknown

const missing = (value: Switch) =>
  Effect.die(new Error(`no case for ${value}: its type says that there is no such value`))

type AnyEffect = Effect.Effect<unknown, unknown, unknown>
