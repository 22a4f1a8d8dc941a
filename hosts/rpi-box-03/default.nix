{ lib, ... }:

{
  imports = [
    ./tailscale.nix
    ./wifi.nix
  ]
  ++ lib.optional (builtins.pathExists ./generated) ./generated;

  time.timeZone = "Europe/Berlin";

  # The release that first ran on this host. It stays when the host moves on.
  system.stateVersion = "26.05";
}
