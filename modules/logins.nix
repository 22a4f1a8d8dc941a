# Who may log in to the hosts of a fleet, as root.
#
#   keys   lines of the fleet's authorized_keys
keys:
{ config, lib, ... }:

let
  # NixOS has an assertion of its own, about root and wheel, which cannot know of the file.
  mayLogIn =
    user:
    user.openssh.authorizedKeys.keys != [ ]
    || user.openssh.authorizedKeys.keyFiles != [ ]
    || user.password != null
    || user.hashedPassword != null
    || user.hashedPasswordFile != null;
in
{
  users.users.root.openssh.authorizedKeys.keys = keys;

  assertions = [
    {
      assertion =
        config.users.mutableUsers
        || config.users.allowNoPasswordLogin
        || lib.any mayLogIn (builtins.attrValues config.users.users);
      message = ''
        authorized_keys has no key, so nobody could log in to ${config.networking.hostName}: put your public key on a line of it, such as that of ~/.ssh/id_ed25519.pub.
      '';
    }
  ];
}
