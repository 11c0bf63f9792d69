# The service alone; its database is outside (see compose.yaml). The embedded PostgreSQL is for trying out on a machine.
FROM node:24-bookworm-slim AS installed
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages/core/package.json packages/core/
COPY packages/server/package.json packages/server/
COPY packages/stripe-sandbox/package.json packages/stripe-sandbox/
# The image has its Node, and the database is outside: neither is downloaded again.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 NODE_COMPILE_CACHE=/tmp/tollgate-compile-cache
WORKDIR /app
COPY --from=installed /app/node_modules node_modules
COPY package.json ./
COPY packages packages
USER node
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--max-semi-space-size=4", "--heap-growing-percent=40", "packages/server/src/main.ts"]
