// Runs NocoDB on 127.0.0.1 at the port that PORT names; says "ready" when it answers. Ends with its standard input,
// so that it never outlives the tests.
const http = require("http");
const path = require("path");

const modules = path.join(process.env.NOCODB_FOLDER, "node_modules");
const express = require(path.join(modules, "express"));
const { Noco } = require(path.join(modules, "nocodb"));

process.stdin.on("end", () => process.exit()).resume();
const app = express();
const server = http.createServer(app);
server.listen(Number(process.env.PORT), "127.0.0.1", async () => {
  app.use(await Noco.init({}, server, app));
  console.log("ready");
});
