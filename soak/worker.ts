import { Worker } from "chorale/node"
import { Soak, SoakLive } from "./service.ts"

Worker.run([Soak], SoakLive)
