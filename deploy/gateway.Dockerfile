# The gateway: the request path. Its spool must outlive the container: mount a
# volume at /var/lib/tollgate/gateway.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags=-s -o /gateway ./cmd/gateway && mkdir -p /spool

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /gateway /gateway
COPY --from=build --chown=nonroot:nonroot /spool /var/lib/tollgate/gateway
EXPOSE 8000
ENTRYPOINT ["/gateway"]
