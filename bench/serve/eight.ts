/** One unit in eight processes. */
import { Deployment, Model } from "chorale"
import { Effect, Schema } from "effect"
import { Rpc } from "effect/rpc"

class Greeter extends Model.Service<Greeter>()("hello/Greeter", [
  Rpc.make("greet", { payload: { name: Schema.String }, success: Schema.String })
]) {}

const GreeterLive = Greeter.toLayer({ greet: ({ name }) => Effect.succeed(`hello ${name}`) })

export default Deployment.make("eight", {
  greeter: Deployment.unit(Greeter, GreeterLive, { replicas: 8, placement: "processes", expose: true })
})
