/** Services that run elsewhere, wherever their addresses say. */
import { ConfigProvider, Effect, Layer } from "effect"
import type { AnyLayer } from "../deployment/layer.ts"
import * as Discovery from "../Discovery.ts"
import type * as Model from "../Model.ts"

/** The service at the addresses that its variable of the environment holds. */
export const fromEnvironment = (service: Model.Any): AnyLayer => {
  const absent = new Discovery.AddressError({
    source: variable(service),
    address: "",
    detail: "is no address: it is not set"
  })
  return Layer.unwrap(Effect.map(
    // What calls nothing elsewhere needs no clients for it.
    Effect.promise(() => import("../node/Location.ts")),
    ({ layer }) =>
      layer(classOf(service), Layer.effectContext(Effect.fail(absent)), { socket: { maxFrameSize: "1 GiB" } })
  ))
}

/** The service at these addresses, in the words of such a variable. */
export const at = (service: Model.Any, addresses: string): AnyLayer =>
  Layer.provide(
    fromEnvironment(service),
    ConfigProvider.layer(ConfigProvider.fromEnvRecord({ [variable(service)]: addresses }))
  )

/** The variable that counts before any other that may hold the addresses of a service. */
export const variable = (service: Model.Any): string => Discovery.variables(service)[0] ?? service.key

/** The class of a service of any type. */
export const classOf = (service: Model.Any) =>
  // oxlint-disable-next-line no-explicit-any -- every contract is such a class, of methods that are not known here
  service as Model.ServiceClass<any, string, any>
