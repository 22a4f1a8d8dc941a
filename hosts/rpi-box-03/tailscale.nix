# Tailscale, whose auth key is a secret of this host. It is used until the host is logged in, and is for
# a moment an argument of `tailscale up`: make it one that works once.
{ config, ... }:

let
  secret = config.pistack.secrets.TAILSCALE_AUTH_KEY;
in
{
  services.tailscale = {
    enable = true;
    authKeyFile = secret.path;
  };

  systemd.services.tailscaled-autoconnect = {
    wants = [ "pistack-secrets.service" ];
    after = [ "pistack-secrets.service" ];
    # A new key, when the old one was used up before the host was logged in.
    restartTriggers = [ secret.version ];
    # The network may not be there yet.
    serviceConfig = {
      Restart = "on-failure";
      RestartSec = "30s";
    };
  };
}
