# Ports that Docker publishes are reached as `pistack.firewall.open` says, and in no other way.
#
# Docker lets in what it publishes before the rules of networking.firewall are asked. An nftables
# table of our own, firewall-table.nix, drops it first.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:

let
  inherit (lib) mkOption types;

  cfg = config.pistack;
  inherit (cfg) firewall;
  nft = lib.getExe pkgs.nftables;

  interface = types.strMatching "[A-Za-z0-9][A-Za-z0-9._-]{0,14}" // {
    description = ''name of a network interface, or "any"'';
  };

  portOption =
    protocol:
    mkOption {
      type = types.listOf types.port;
      default = [ ];
      example = [ 443 ];
      description = ''
        ${protocol} ports of the host itself that {option}`networking.firewall` lets in on the
        interfaces of {option}`pistack.firewall.open`. A published port needs it for IPv6, which ends
        at a proxy of Docker's on the host, unless the container's network has IPv6 as well.
      '';
    };

  bridges =
    builtins.attrNames config.networking.bridges
    ++ lib.concatMap (
      netdev: lib.optional (netdev.netdevConfig.Kind or "" == "bridge") netdev.netdevConfig.Name
    ) (builtins.attrValues config.systemd.network.netdevs);

  table = import ./firewall-table.nix {
    inherit (firewall) open;
    bridges = lib.unique bridges;
  };

  # One transaction: either all of it is in force, or what was there before. Where the firewall was
  # turned off, the table of an earlier system goes away.
  file = pkgs.writeText "pistack-firewall.nft" (
    ''
      table inet pistack
      delete table inet pistack
    ''
    + lib.optionalString firewall.enable ''
      table inet pistack {
      ${table}
      }
    ''
  );

  hostPorts = {
    inherit (firewall) allowedTCPPorts allowedUDPPorts;
  };
in
{
  options.pistack.firewall = {
    enable = mkOption {
      type = types.bool;
      default = config.networking.firewall.enable && cfg.stacks != { };
      defaultText = lib.literalExpression "config.networking.firewall.enable && config.pistack.stacks != { }";
      example = false;
      description = ''
        Whether ports that Docker publishes are closed, except on the interfaces of
        {option}`pistack.firewall.open`. The host itself reaches them, and so do containers.
      '';
    };

    open = mkOption {
      type = types.listOf interface;
      default = [ ];
      example = [
        "end0"
        "tailscale0"
      ];
      description = ''
        The network interfaces through which ports that Docker publishes are reached, or `[ "any" ]`
        for all of them. In a fleet this is `open` of {file}`host.toml`. On the others whatever is
        forwarded to a container is dropped, what {option}`networking.nat.forwardPorts` forwards to
        other bridges included.
      '';
    };

    allowedTCPPorts = portOption "TCP";
    allowedUDPPorts = portOption "UDP";
  };

  config = lib.mkIf cfg.enable (
    lib.mkMerge [
      {
        networking.firewall =
          if lib.elem "any" firewall.open then
            hostPorts
          else
            { interfaces = lib.genAttrs firewall.open (_: hostPorts); };
      }

      # Here one service loads all tables, and may remove those that it does not know.
      (lib.mkIf (config.networking.nftables.enable && firewall.enable) {
        networking.nftables.tables.pistack = {
          family = "inet";
          content = table;
        };
      })

      # Like a stack's unit it does not remain active: every switch loads the table, as does every
      # start of Docker. Nothing stops it, so that there is no moment without the table, not even
      # during a restart. A system without pistack leaves the table in force until the next boot.
      (lib.mkIf (!config.networking.nftables.enable) {
        systemd.services.pistack-firewall = {
          description = "Close ports that Docker publishes";

          wantedBy = [
            "docker.service"
            "multi-user.target"
          ];
          before = [
            "docker.service"
          ]
          ++ map (name: "pistack-${name}.service") (builtins.attrNames cfg.stacks);

          enableDefaultPath = false;
          environment = {
            LOCALE_ARCHIVE = null;
            TZDIR = null;
          };

          serviceConfig = import ./confined.nix // {
            Type = "oneshot";
            # To take away what is not there is no failure, whatever the kernel has.
            ExecStart =
              lib.optionalString (!firewall.enable) "-"
              + utils.escapeSystemdExecArgs [
                nft
                "--file"
                file
              ];

            CapabilityBoundingSet = [ "CAP_NET_ADMIN" ];
            PrivateTmp = true;
            RestrictAddressFamilies = "AF_NETLINK";
          };
        };
      })

      # Without the table Docker does not start: it would open every port of the containers that it
      # brings back. The rule is checked against the chain, and not added.
      (lib.mkIf (firewall.enable && config.virtualisation.docker.enable) {
        systemd.services.docker.serviceConfig.ExecStartPre = [
          (utils.escapeSystemdExecArgs [
            nft
            "--check"
            "add rule inet pistack forward accept"
          ])
        ];
      })
    ]
  );
}
